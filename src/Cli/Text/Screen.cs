using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Membership.Cli.Text;

/// <summary>What a piece of text means; colour only supports the word.</summary>
internal enum Tone
{
    /// <summary>Ordinary.</summary>
    Normal,

    /// <summary>As it should be.</summary>
    Good,

    /// <summary>Something is missing.</summary>
    Warning,

    /// <summary>Broken.</summary>
    Bad,

    /// <summary>Headings and less important text.</summary>
    Dim,
}

/// <summary>A piece of text with its meaning. Text from outside is escaped here, and only here.</summary>
internal readonly record struct Span
{
    /// <summary>Escapes and keeps <paramref name="text"/>.</summary>
    public Span(string text, Tone tone = Tone.Normal)
    {
        Text = Escape.ForTerminal(text);
        Tone = tone;
    }

    /// <summary>Harmless text.</summary>
    public string Text { get; }

    /// <summary>What it means.</summary>
    public Tone Tone { get; }

    /// <summary>How many cells of a terminal it takes.</summary>
    public int Width => System.Text.Ascii.IsValid(Text) ? Text.Length : new Segment(Text).CellCount();
}

/// <summary>Lines of text to be drawn at once, fitted to a terminal.</summary>
/// <param name="terminal">What the output can show.</param>
internal sealed class Screen(Terminal terminal)
{
    private readonly List<IReadOnlyList<Span>> _lines = [];

    /// <summary>What the output can show.</summary>
    public Terminal Terminal { get; } = terminal;

    /// <summary>How many lines there are.</summary>
    public int Height => _lines.Count;

    /// <summary>Adds a line.</summary>
    public void Line(params IReadOnlyList<Span> spans) => _lines.Add(spans);

    /// <summary>Adds a line whose parts are dropped from the right while it does not fit; the first part always stays.</summary>
    public void Fitted(params IReadOnlyList<IReadOnlyList<Span>> parts)
    {
        var kept = parts.Count;
        while (kept > 1 && parts.Take(kept).Sum(static part => part.Sum(static span => span.Width)) > Terminal.Width)
            kept--;
        _lines.Add([.. parts.Take(kept).SelectMany(static part => part)]);
    }

    /// <summary>Draws everything, with colour where the terminal has it.</summary>
    public void WriteTo(TextWriter writer)
    {
        if (!Terminal.HasColour)
        {
            writer.Write(ToString());
            return;
        }
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.Standard,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = Terminal.UnlimitedWidth; // lines are fitted already
        foreach (var line in _lines)
        {
            foreach (var span in line)
                console.Write(new Segments(span));
            console.WriteLine();
        }
    }

    /// <summary>The text alone.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var line in _lines)
            text.Append(string.Concat(line.Select(static span => span.Text)).TrimEnd()).Append('\n');
        return text.ToString();
    }

    // Text would be wrapped and measured again by Spectre's own widgets; a segment is drawn as it is.
    private sealed class Segments(Span span) : IRenderable
    {
        public Measurement Measure(RenderOptions options, int maxWidth) => new(span.Width, span.Width);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => [new Segment(span.Text, StyleOf(span.Tone))];

        private static Style StyleOf(Tone tone) => tone switch
        {
            Tone.Good => new Style(Color.Green),
            Tone.Warning => new Style(Color.Yellow),
            Tone.Bad => new Style(Color.Red, decoration: Decoration.Bold),
            Tone.Dim => new Style(decoration: Decoration.Dim),
            _ => Style.Plain,
        };
    }
}
