using Membership.Cli.Text;

namespace Membership.Cli.Errors;

/// <summary>Ends a command with one error of the catalogue, filled with the actual values.</summary>
internal sealed class CliException : Exception
{
    /// <summary>Fills the placeholders of <paramref name="entry"/>; values are escaped, so a hostile name cannot drive the terminal.</summary>
    public CliException(ErrorEntry entry, params ReadOnlySpan<(string Name, object Value)> values)
        : this(entry, null, values)
    {
    }

    /// <summary>As above, keeping the exception that showed the problem for <c>--debug</c>.</summary>
    public CliException(ErrorEntry entry, Exception? inner, params ReadOnlySpan<(string Name, object Value)> values)
        : base(Fill(entry.Sentence, values), inner)
    {
        Entry = entry;
        Cause = Fill(entry.Cause, values);
        Fix = Fill(entry.Fix, values);
    }

    /// <summary>The line of the catalogue.</summary>
    public ErrorEntry Entry { get; }

    /// <summary>Why, with the actual values.</summary>
    public string Cause { get; }

    /// <summary>What to do, with the actual values.</summary>
    public string Fix { get; }

    private static string Fill(string template, ReadOnlySpan<(string Name, object Value)> values)
    {
        foreach (var (name, value) in values)
            template = template.Replace("{" + name + "}", Escape.ForTerminal(Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture) ?? ""), StringComparison.Ordinal);
        return template;
    }
}
