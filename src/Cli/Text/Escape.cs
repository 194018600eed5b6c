using System.Globalization;
using System.Text;

namespace Membership.Cli.Text;

/// <summary>Makes text from outside harmless: what could move the cursor, recolour or reorder a line is shown as \xHH or \uHHHH.</summary>
internal static class Escape
{
    /// <summary>The text with every control, format, surrogate-half and line-separating character made visible.</summary>
    public static string ForTerminal(string text)
    {
        var clean = true;
        foreach (var rune in text.EnumerateRunes())
            clean &= !IsHostile(rune);
        if (clean)
            return text;

        var escaped = new StringBuilder(text.Length + 16);
        foreach (var rune in text.EnumerateRunes())
        {
            if (!IsHostile(rune))
                escaped.Append(rune.ToString());
            else if (rune.Value <= 0xff)
                escaped.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}");
            else
                escaped.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
        }
        return escaped.ToString();
    }

    // U+FFFD is what a lone surrogate enumerates as.
    private static bool IsHostile(Rune rune) => rune.Value == 0xfffd || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or
        UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
