using System.Text;

namespace Membership.Explorer;

/// <summary>In which way an iteration failed.</summary>
public enum FailureKind
{
    /// <summary>An assertion of the test.</summary>
    Assertion,

    /// <summary>The code under test, or the test, threw.</summary>
    Exception,

    /// <summary>Something owed did not happen.</summary>
    Liveness,

    /// <summary>The test is no function of the answers it gets.</summary>
    Nondeterminism,
}

/// <summary>One failed iteration, with all that is needed to see it again.</summary>
public sealed record Failure
{
    /// <summary>In which way it failed.</summary>
    public required FailureKind Kind { get; init; }

    /// <summary>The assertion's text, or what was thrown, or what stayed owed.</summary>
    public required string Message { get; init; }

    /// <summary>What two failures have in common that are the same one: <see cref="Message"/> without its digits; for liveness the monitor.</summary>
    public required string Identity { get; init; }

    /// <summary>Where the code was: a stack trace, for people.</summary>
    public string Details { get; init; } = "";

    /// <summary>The strategy that found it, by name.</summary>
    public string Strategy { get; init; } = "";

    /// <summary>Base seed plus iteration.</summary>
    public ulong Seed { get; init; }

    /// <summary>The iteration, from 0.</summary>
    public long Iteration { get; init; }

    /// <summary>The step (schedule choice, forced ones too) at which it failed.</summary>
    public int Step { get; init; }

    /// <summary>The answers that lead to it.</summary>
    public required Trace Trace { get; init; }

    /// <summary>The fewest and smallest answers found that lead to the same failure, when shrinking was asked for.</summary>
    public Trace? Shrunk { get; init; }

    /// <summary>Digits do not tell failures apart.</summary>
    public static string WithoutDigits(string message)
    {
        var kept = new StringBuilder(message.Length);
        foreach (var letter in message)
        {
            if (!char.IsAsciiDigit(letter)) kept.Append(letter);
        }
        return kept.ToString();
    }

    /// <summary>One line: what failed, who found it, and the trace that shows it again.</summary>
    public override string ToString() =>
        $"{Message} [{Kind}, step {Step}, strategy {Strategy}, seed {Seed}] replay: \"{Shrunk ?? Trace}\"";
}

/// <summary>A test failed under exploration; the message holds the trace that replays it.</summary>
public sealed class ExplorationFailedException(string message) : Exception(message);
