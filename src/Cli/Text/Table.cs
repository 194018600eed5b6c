namespace Membership.Cli.Text;

/// <summary>A table without lines. Columns are as wide as their widest cell; on a narrow terminal they are dropped from the right.</summary>
/// <param name="headings">One per column.</param>
internal sealed class Table(params IReadOnlyList<string> headings)
{
    private const string Indent = " ";
    private const int Gap = 2;

    private readonly List<IReadOnlyList<Span>> _rows = [];

    /// <summary>Adds a row; missing cells at the end are empty.</summary>
    public void Row(params IReadOnlyList<Span> cells) => _rows.Add(cells);

    /// <summary>Adds the table to a screen.</summary>
    public void WriteTo(Screen screen)
    {
        var widths = Widths();
        var columns = headings.Count;
        while (columns > 1 && Indent.Length + widths.Take(columns).Sum() + (Gap * (columns - 1)) > screen.Terminal.Width)
            columns--;

        screen.Line(Layout([.. headings.Select(static heading => new Span(heading, Tone.Dim))], widths, columns));
        foreach (var row in _rows)
            screen.Line(Layout(row, widths, columns));
    }

    private int[] Widths()
    {
        var widths = headings.Select(static heading => new Span(heading).Width).ToArray();
        foreach (var row in _rows)
            for (var column = 0; column < row.Count; column++)
                widths[column] = Math.Max(widths[column], row[column].Width);
        return widths;
    }

    private static List<Span> Layout(IReadOnlyList<Span> cells, int[] widths, int columns)
    {
        var line = new List<Span> { new(Indent) };
        for (var column = 0; column < Math.Min(columns, cells.Count); column++)
        {
            line.Add(cells[column]);
            line.Add(new Span(new string(' ', widths[column] - cells[column].Width + Gap)));
        }
        return line;
    }
}
