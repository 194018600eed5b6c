using System.Buffers;
using System.Globalization;
using System.Text;

namespace Membership.Cpg;

/// <summary>The rule for group names: 1 to 255 bytes of valid UTF-8, no control, format, separator, surrogate, private or unassigned character, no space at an end.</summary>
/// <remarks>
/// The only separator allowed is the space U+0020, inside the name. Which characters are assigned depends on the runtime's tables, so the whole rule is
/// applied where a name enters the cluster; names that come from other nodes are held to the part that never changes (<see cref="IsWellFormed"/>), because
/// every member has to take or drop a message alike.
/// </remarks>
public static class GroupName
{
    /// <summary>Longest name, bytes of UTF-8.</summary>
    public const int BytesMax = 255;

    /// <summary>Null when the name can be used, or one sentence that says what is wrong with it (without repeating it raw).</summary>
    public static string? Check(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length == 0) return "The group name is empty: use 1 to 255 bytes of UTF-8.";
        var bytes = 0L;
        for (var at = 0; at < name.Length;)
        {
            if (Rune.DecodeFromUtf16(name.AsSpan(at), out var rune, out var length) != OperationStatus.Done)
                return Position($"holds half of a surrogate pair (U+{(int)name[at]:X4})", at);
            if (Fault(rune) is { } fault) return Position(string.Create(CultureInfo.InvariantCulture, $"holds {fault} (U+{rune.Value:X4})"), at);
            bytes += rune.Utf8SequenceLength;
            at += length;
        }

        if (bytes > BytesMax) return string.Create(CultureInfo.InvariantCulture, $"The group name has {bytes} bytes of UTF-8: at most {BytesMax} are allowed.");
        return name[0] == ' ' || name[^1] == ' ' ? "The group name begins or ends with a space: leave it out." : null;
    }

    /// <summary>By bytes of UTF-8, which is the order of code points: the order in which groups are listed.</summary>
    public static int Compare(string left, string right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        var shared = left.AsSpan().CommonPrefixLength(right);
        if (shared == left.Length || shared == right.Length) return left.Length.CompareTo(right.Length);
        return Weight(left[shared]).CompareTo(Weight(right[shared]));
    }

    /// <summary>The part of the rule that no runtime changes: 1 to 255 bytes, valid UTF-8, no control character.</summary>
    internal static bool IsWellFormed(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8.Length > BytesMax) return false;
        while (!utf8.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(utf8, out var rune, out var length) != OperationStatus.Done || Rune.IsControl(rune)) return false;
            utf8 = utf8[length..];
        }

        return true;
    }

    private static string? Fault(Rune rune)
    {
        if (rune.Value == ' ') return null;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.Control => "a control character",
            UnicodeCategory.Format => "a format character",
            UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => "a separator other than the space",
            UnicodeCategory.PrivateUse => "a private character",
            UnicodeCategory.OtherNotAssigned => "an unassigned character",
            _ => null,
        };
    }

    private static string Position(string what, int at) =>
        string.Create(CultureInfo.InvariantCulture, $"The group name {what} at position {at + 1}: leave it out.");

    /// <summary>Surrogates stand for code points above all others.</summary>
    private static int Weight(char unit) => char.IsSurrogate(unit) ? unit + 0x10000 : unit;
}
