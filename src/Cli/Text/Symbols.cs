namespace Membership.Cli.Text;

/// <summary>Signs used on screens, with their ASCII fall-back.</summary>
internal sealed record Symbols(string Dot, string Triangle, string Cross, string Bar, string Corner, string Separator, string Micro)
{
    /// <summary>The signs a terminal can show.</summary>
    public static Symbols Of(Terminal terminal) => terminal.HasUnicode
        ? new Symbols("●", "▲", "✖", "│", "└", "·", "µs")
        : new Symbols("*", "!", "x", "|", "`-", "-", "us");
}
