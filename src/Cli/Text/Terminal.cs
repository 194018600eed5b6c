namespace Membership.Cli.Text;

/// <summary>What the output can show: its width in cells, colour, live redrawing and characters beyond ASCII.</summary>
internal sealed record Terminal(int Width, bool IsLive, bool HasColour, bool HasUnicode)
{
    /// <summary>Width of an output whose width is unknown: nothing is dropped when output goes to a file or pipe.</summary>
    public const int UnlimitedWidth = 10_000;

    /// <summary>Below this many cells a screen is drawn as if it had them; a terminal that narrow wraps.</summary>
    public const int WidthMin = 20;

    /// <summary>A file, a pipe or a test: no colour, no redrawing, every column, UTF-8.</summary>
    public static Terminal Plain { get; } = new(UnlimitedWidth, IsLive: false, HasColour: false, HasUnicode: true);

    /// <summary>What standard output of this process is.</summary>
    public static Terminal OfThisProcess(Func<string, string?> environment) =>
        Of(Console.IsOutputRedirected, Console.IsOutputRedirected ? UnlimitedWidth : WindowWidth(), environment);

    /// <summary>Decides from the facts: redirected or not, width, and TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG.</summary>
    public static Terminal Of(bool redirected, int width, Func<string, string?> environment)
    {
        var dumb = environment("TERM") is null or "" or "dumb";
        var live = !redirected && !dumb;
        var noColour = environment("NO_COLOR") is { Length: > 0 };
        return new Terminal(Math.Max(width, WidthMin), live, live && !noColour, IsUtf8(environment));
    }

    private static bool IsUtf8(Func<string, string?> environment)
    {
        foreach (var name in (ReadOnlySpan<string>)["LC_ALL", "LC_CTYPE", "LANG"])
            if (environment(name) is { Length: > 0 } locale)
                return locale.Contains("UTF-8", StringComparison.OrdinalIgnoreCase) || locale.Contains("utf8", StringComparison.OrdinalIgnoreCase);
        return false;
    }

    private static int WindowWidth()
    {
        try
        {
            return Console.WindowWidth is > 0 and var width ? width : UnlimitedWidth;
        }
        catch (IOException)
        {
            return UnlimitedWidth; // a terminal that does not tell its size
        }
    }
}
