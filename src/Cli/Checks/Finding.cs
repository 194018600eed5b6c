namespace Membership.Cli.Checks;

/// <summary>One line of the doctor.</summary>
/// <param name="Check">What was looked at: configuration, key, port, ...</param>
/// <param name="State">Null: it could not be looked at, and <paramref name="Text"/> says why.</param>
/// <param name="Text">One sentence with the values.</param>
/// <param name="Fix">What to do; empty when nothing.</param>
internal sealed record Finding(string Check, CheckState? State, string Text, string Fix)
{
    /// <summary>All is well.</summary>
    public static Finding Good(string check, string text) => new(check, CheckState.Ok, text, "");

    /// <summary>It works, but deserves attention.</summary>
    public static Finding Warning(string check, string text, string fix) => new(check, CheckState.Warning, text, fix);

    /// <summary>It does not work.</summary>
    public static Finding Bad(string check, string text, string fix) => new(check, CheckState.Critical, text, fix);

    /// <summary>It could not be looked at.</summary>
    public static Finding Skipped(string check, string why) => new(check, null, why, "");
}
