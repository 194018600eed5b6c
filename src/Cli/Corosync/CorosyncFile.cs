using System.Text;

namespace Membership.Cli.Corosync;

/// <summary>One <c>key: value</c> line.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Key">As written.</param>
/// <param name="Value">As written, without blanks around it.</param>
internal sealed record CorosyncEntry(int Line, string Key, string Value)
{
    /// <summary>It has its counterpart, or a note of its own.</summary>
    public bool IsUsed { get; set; }
}

/// <summary>One section with what is in it.</summary>
/// <param name="Path">Names from the outermost, joined by points; empty for the file.</param>
/// <param name="Line">Where it begins.</param>
internal sealed record CorosyncSection(string Path, int Line)
{
    /// <summary>Its own lines.</summary>
    public List<CorosyncEntry> Entries { get; } = [];

    /// <summary>Sections in it.</summary>
    public List<CorosyncSection> Sections { get; } = [];

    /// <summary>The sections of a name, in order.</summary>
    public IEnumerable<CorosyncSection> Named(string name) =>
        Sections.Where(section => section.Path == (Path.Length == 0 ? name : $"{Path}.{name}"));

    /// <summary>This section and all below it.</summary>
    public IEnumerable<CorosyncSection> All() => Sections.SelectMany(static section => section.All()).Prepend(this);
}

/// <summary>Something the operator has to know about a line.</summary>
/// <param name="Line">From 1; 0 for the file as a whole.</param>
/// <param name="IsMistake">Without repair there is no configuration.</param>
/// <param name="Text">One sentence.</param>
internal sealed record ImportNote(int Line, bool IsMistake, string Text);

/// <summary>Reads the line format of corosync.conf(5): sections in braces, <c>key: value</c>, comments on lines of their own. Takes any bytes.</summary>
internal static class CorosyncFile
{
    /// <summary>Largest file that is read, bytes.</summary>
    public const int BytesMax = 1024 * 1024;

    /// <summary>Sections in sections; corosync itself uses three.</summary>
    public const int DepthMax = 8;

    /// <summary>Longest line corosync reads, characters.</summary>
    public const int LineLengthMax = 511;

    /// <summary>Mistakes that are told; a file of another format would have one in each line.</summary>
    public const int MistakesMax = 20;

    /// <summary>Reads the bytes of a file; what is wrong goes to <paramref name="notes"/>.</summary>
    public static CorosyncSection Read(ReadOnlySpan<byte> bytes, List<ImportNote> notes)
    {
        var root = new CorosyncSection("", 0);
        var open = new Stack<CorosyncSection>([root]);
        var lines = Encoding.UTF8.GetString(bytes).Split('\n');
        for (var index = 0; index < lines.Length && notes.Count < MistakesMax; index++)
        {
            var line = lines[index].Trim();
            if (lines[index].Length > LineLengthMax)
                notes.Add(new ImportNote(index + 1, true, $"is longer than {LineLengthMax} characters, which corosync cuts off"));
            else if (line.Length > 0 && line[0] != '#')
                ReadLine(line, index + 1, open, notes);
        }
        if (open.Count > 1 && notes.Count < MistakesMax)
            notes.Add(new ImportNote(open.Peek().Line, true, $"section {open.Peek().Path} is never closed"));
        return root;
    }

    private static void ReadLine(string line, int number, Stack<CorosyncSection> open, List<ImportNote> notes)
    {
        var brace = line.IndexOf('{', StringComparison.Ordinal);
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        if (line == "}")
        {
            if (open.Count == 1)
                notes.Add(new ImportNote(number, true, "closes a section, but none is open"));
            else
                open.Pop();
        }
        else if (brace >= 0)
            Open(line[..brace].Trim(), line[(brace + 1)..].Trim(), number, open, notes);
        else if (colon <= 0)
            notes.Add(new ImportNote(number, true, "is neither a section, nor \"key: value\", nor a comment"));
        else
            open.Peek().Entries.Add(new CorosyncEntry(number, line[..colon].Trim(), line[(colon + 1)..].Trim()));
    }

    private static void Open(string name, string rest, int number, Stack<CorosyncSection> open, List<ImportNote> notes)
    {
        if (name.Length == 0)
            notes.Add(new ImportNote(number, true, "opens a section without a name"));
        if (rest.Length > 0)
            notes.Add(new ImportNote(number, true, "has text behind {; corosync wants a line of its own for it"));
        if (open.Count > DepthMax)
        {
            notes.Add(new ImportNote(number, true, $"opens a section {open.Count} deep, more than {DepthMax}"));
            return;
        }
        var parent = open.Peek();
        var section = new CorosyncSection(parent.Path.Length == 0 ? name : $"{parent.Path}.{name}", number);
        parent.Sections.Add(section);
        open.Push(section);
    }
}
