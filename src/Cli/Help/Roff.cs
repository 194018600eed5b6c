using System.Globalization;
using System.Text;

namespace Membership.Cli.Help;

/// <summary>Writes one manual page in the man macros of roff (man(7)); text is escaped here and only here.</summary>
internal sealed class Roff
{
    private readonly StringBuilder _text = new();

    /// <summary>Begins the page.</summary>
    public Roff(string title, int section, string version, string manual) =>
        _text.Append(CultureInfo.InvariantCulture, $".TH {Quoted(title.ToUpperInvariant())} {section} \"\" {Quoted($"Membership {version}")} {Quoted(manual)}\n.nh\n");

    /// <summary>A section heading.</summary>
    public Roff Section(string title) => Line($".SH {Quoted(title)}");

    /// <summary>A heading below a section.</summary>
    public Roff Subsection(string title) => Line($".SS {Quoted(title)}");

    /// <summary>Ordinary text in a paragraph of its own.</summary>
    public Roff Paragraph(string text) => Line(".PP").Line(Escaped(text));

    /// <summary>Text behind a heading.</summary>
    public Roff Text(string text) => Line(Escaped(text));

    /// <summary>A term in bold, an optional value in italics, and its explanation indented below.</summary>
    public Roff Term(string term, string value, string explanation) =>
        Line(".TP").Line(value.Length == 0 ? $"\\fB{Inline(term)}\\fR" : $"\\fB{Inline(term)}\\fR \\fI{Inline(value)}\\fR").Line(Escaped(explanation));

    /// <summary>Lines as they are, in the fixed font.</summary>
    public Roff Example(params ReadOnlySpan<string> lines)
    {
        Line(".PP").Line(".RS 4").Line(".nf");
        foreach (var line in lines)
            Line(Escaped(line));
        return Line(".fi").Line(".RE");
    }

    /// <summary>One line of a synopsis: the command in bold, then what follows.</summary>
    public Roff Synopsis(string command, IEnumerable<string> rest)
    {
        Line(".HP 4");
        var parts = rest.Select(part => Inline(part).Replace(" ", "\\ ", StringComparison.Ordinal));
        return Line($"\\fB{Inline(command)}\\fR {string.Join(' ', parts)}".TrimEnd());
    }

    /// <summary>The page.</summary>
    public override string ToString() => _text.ToString();

    private Roff Line(string line)
    {
        _text.Append(line).Append('\n');
        return this;
    }

    private static string Quoted(string text) => $"\"{Inline(text).Replace("\"", "\\(dq", StringComparison.Ordinal)}\"";

    // A line that begins with a point would be taken for a request.
    private static string Escaped(string text)
    {
        var line = Inline(text);
        return line.StartsWith('.') ? $"\\&{line}" : line; // Inline leaves no apostrophe
    }

    private static string Inline(string text)
    {
        var escaped = new StringBuilder(text.Length + 8);
        foreach (var rune in text.ReplaceLineEndings(" ").EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '\\' => escaped.Append("\\e"),
                '-' => escaped.Append("\\-"),
                '\'' => escaped.Append("\\(aq"),
                '`' => escaped.Append("\\(ga"),
                '^' => escaped.Append("\\(ha"),
                '~' => escaped.Append("\\(ti"),
                < 0x20 => escaped,
                > 0x7e => escaped.Append(CultureInfo.InvariantCulture, $"\\[u{rune.Value:X4}]"),
                _ => escaped.Append(rune.ToString()),
            };
        }
        return escaped.ToString();
    }
}
