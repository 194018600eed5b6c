namespace Membership.Explorer;

/// <summary>The words for a test that is no function of its answers.</summary>
internal static class Nondeterminism
{
    public const string Identity = "the test is not deterministic";

    public static string Say(string what) =>
        $"The test is not deterministic: {what}. Everything that varies must be asked of IExploration; look for clocks, threads, random hash codes, " +
        "the order of sets and dictionaries, and state that one iteration leaves to the next.";

    public static Failure ToFailure(string what, Trace trace) => new()
    {
        Kind = FailureKind.Nondeterminism,
        Message = Say(what),
        Identity = Identity,
        Trace = trace,
    };
}
