namespace Membership.Cli;

/// <summary>What <c>mbr</c> exits with. Scripts depend on these numbers; they never change meaning.</summary>
/// <remarks>Numbers from 64 on are those of sysexits.h.</remarks>
internal static class ExitCode
{
    /// <summary>The command did what it says.</summary>
    public const int Ok = 0;

    /// <summary>The daemon was reached and the operation failed.</summary>
    public const int Failed = 1;

    /// <summary>The cluster is not quorate here, or a check is critical.</summary>
    public const int NotQuorate = 2;

    /// <summary>No daemon answers at the socket.</summary>
    public const int Unreachable = 3;

    /// <summary>The named node, view, group, lock or resource does not exist.</summary>
    public const int NotFound = 4;

    /// <summary>The caller may not do that.</summary>
    public const int Denied = 5;

    /// <summary>No answer came in time.</summary>
    public const int TimedOut = 6;

    /// <summary>It works, but something deserves attention (checks and doctor only).</summary>
    public const int Degraded = 7;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 64;

    /// <summary>Data or state is wrong: a damaged file, an answer that breaks the contract.</summary>
    public const int BadData = 65;

    /// <summary>A file or the output cannot be read or written.</summary>
    public const int InputOutput = 74;

    /// <summary>Not obtained now; trying again may work.</summary>
    public const int NotObtained = 75;

    /// <summary>The configuration is wrong.</summary>
    public const int Configuration = 78;

    /// <summary>Every code with its meaning, for manuals.</summary>
    public static IReadOnlyList<(int Code, string Meaning)> All { get; } =
    [
        (Ok, "the command did what it says"),
        (Failed, "the operation failed"),
        (NotQuorate, "not quorate here, or a check is critical"),
        (Unreachable, "no daemon answers"),
        (NotFound, "the named thing does not exist"),
        (Denied, "the caller may not do that"),
        (TimedOut, "no answer came in time"),
        (Degraded, "a check or doctor has warnings"),
        (Usage, "the command line is wrong"),
        (BadData, "data or state is wrong"),
        (InputOutput, "a file or the output cannot be read or written"),
        (NotObtained, "not obtained now; trying again may work"),
        (Configuration, "the configuration is wrong"),
    ];

    /// <summary>What a code means.</summary>
    public static string MeaningOf(int code) => All.First(each => each.Code == code).Meaning;
}
