using System.Buffers;
using System.Globalization;
using System.Text;

namespace Membership.Daemon.Configuration;

/// <summary>Text of others made safe for one line of a terminal or log.</summary>
internal static class Printable
{
    private static readonly SearchValues<char> NeedsQuotes = SearchValues.Create(" ,;:'");

    /// <summary>At most <paramref name="max"/> characters; control characters, line ends and what changes the direction of text are written as escapes.</summary>
    public static string Text(string text, int max = 80)
    {
        var safe = new StringBuilder(Math.Min(text.Length, max) + 3);
        foreach (var rune in text.EnumerateRunes())
        {
            if (safe.Length >= max) return safe.Append("...").ToString();
            var category = Rune.GetUnicodeCategory(rune);
            var unsafeHere = category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
            if (unsafeHere) safe.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}");
            else safe.Append(rune.ToString());
        }
        return safe.ToString();
    }

    /// <summary>As <see cref="Text"/>, in quotes where the text is empty or has spaces, so that a message shows where it ends.</summary>
    public static string Value(string text)
    {
        var safe = Text(text);
        return safe.Length == 0 || safe.AsSpan().ContainsAny(NeedsQuotes) ? $"\"{safe}\"" : safe;
    }
}
