namespace Membership.Cli.Errors;

/// <summary>One line of the error catalogue: what can go wrong, as the operator reads it.</summary>
/// <param name="Code">MB and four digits; never reused.</param>
/// <param name="ExitCode">What the process exits with.</param>
/// <param name="Sentence">What happened, with {placeholders} for the actual values.</param>
/// <param name="Cause">Why that usually is.</param>
/// <param name="Fix">What the operator can do.</param>
internal sealed record ErrorEntry(string Code, int ExitCode, string Sentence, string Cause, string Fix);
