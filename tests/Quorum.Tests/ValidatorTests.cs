using Membership.Links;

namespace Membership.Quorum.Tests;

/// <summary>Contradictions are named with the key and the remedy.</summary>
public sealed class ValidatorTests
{
    private static QuorumOptions Options(int nodes) => new()
    {
        Self = new NodeId(1),
        Voters = [.. Enumerable.Range(1, nodes).Select(i => new Voter(new NodeId((ushort)i), 1))],
    };

    public static TheoryData<string, string> Contradictions => new()
    {
        { "two-node with three nodes", "quorum.mode" },
        { "two-node and a tie-breaker", "quorum.tie_breaker" },
        { "two-node with unequal votes", "quorum.mode" },
        { "two-node and a witness", "quorum.witness" },
        { "expected votes below the sum", "quorum.expected_votes" },
        { "expected votes out of reach", "quorum.expected_votes" },
        { "downscale and tracking", "quorum.expected_votes_tracking" },
        { "last man standing and downscale", "quorum.allow_downscale" },
        { "last man standing and expected votes", "quorum.expected_votes" },
        { "witness and tie-breaker", "quorum.witness" },
        { "ffsplit with two votes", "quorum.witness.votes" },
        { "witness alone is quorum", "quorum.witness.votes" },
        { "no votes", "quorum" },
        { "too many votes", "quorum" },
        { "list names a stranger", "quorum.tie_breaker" },
    };

    [Theory]
    [MemberData(nameof(Contradictions))]
    public void A_contradiction_is_refused_at_its_key(string what, string key)
    {
        var (one, two) = (Options(1).Voters[0], new Voter(new NodeId(2), 3));
        var options = what switch
        {
            "two-node with three nodes" => Options(3) with { Mode = QuorumMode.TwoNode },
            "two-node and a tie-breaker" => Options(2) with { Mode = QuorumMode.TwoNode, TieBreaker = TieBreakerKind.Lowest },
            "two-node with unequal votes" => Options(2) with { Mode = QuorumMode.TwoNode, Voters = [one, two] },
            "two-node and a witness" => Options(2) with { Mode = QuorumMode.TwoNode, Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 },
            "expected votes below the sum" => Options(5) with { ExpectedVotes = 3 },
            "expected votes out of reach" => Options(5) with { ExpectedVotes = 10 },
            "downscale and tracking" => Options(5) with { AllowDownscale = true, TrackExpectedVotes = true },
            "last man standing and downscale" => Options(5) with { Mode = QuorumMode.LastManStanding, AllowDownscale = true },
            "last man standing and expected votes" => Options(5) with { Mode = QuorumMode.LastManStanding, ExpectedVotes = 5 },
            "witness and tie-breaker" => Options(4) with { TieBreaker = TieBreakerKind.Lowest, Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 },
            "ffsplit with two votes" => Options(4) with { Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 2 },
            "witness alone is quorum" => Options(4) with { Witness = WitnessAlgorithm.LastManStanding, WitnessVotes = 5 },
            "no votes" => Options(3) with { Voters = [new(new NodeId(1), 0)] },
            "too many votes" => Options(3) with { Voters = [new(new NodeId(1), ulong.MaxValue), new(new NodeId(2), 2)] },
            _ => Options(4) with { TieBreaker = TieBreakerKind.List, TieBreakerNodes = [new NodeId(9)] },
        };

        Assert.Contains(QuorumValidator.Check(options), mistake => mistake.Key == key && mistake.Mistake.EndsWith('.'));
    }

    [Fact]
    public void Plain_settings_have_neither_mistakes_nor_warnings()
    {
        Assert.Empty(QuorumValidator.Check(Options(3)));
        Assert.Empty(QuorumValidator.Warnings(Options(3)));
    }

    [Fact]
    public void What_is_allowed_but_dangerous_or_useless_gets_a_word()
    {
        Assert.Contains(QuorumValidator.Warnings(Options(2) with { Mode = QuorumMode.TwoNode }), warning => warning.Key == "quorum.wait_for_all");
        Assert.Contains(QuorumValidator.Warnings(Options(2)), warning => warning.Key == "quorum");
        Assert.Contains(QuorumValidator.Warnings(Options(3) with { TieBreaker = TieBreakerKind.Lowest }), warning => warning.Key == "quorum.tie_breaker");
        Assert.Contains(QuorumValidator.Warnings(Options(5) with { Mode = QuorumMode.LastManStanding }), warning => warning.Key == "quorum.mode");
        Assert.Contains(QuorumValidator.Warnings(Options(3) with { Witness = WitnessAlgorithm.FiftyFiftySplit, WitnessVotes = 1 }), warning => warning.Key == "quorum.witness.algorithm");
    }
}
