using Membership.Links;

namespace Membership.Quorum;

/// <summary>Whose votes count and how many are expected, as changed while running. Immutable; numbered, the higher number wins where two sides meet.</summary>
/// <param name="Counter">Number of these terms; 0 = nothing was ever changed.</param>
/// <param name="Votes">Votes set by an operator, ascending by node; who is not in it has its configured ones.</param>
/// <param name="Out">Nodes whose votes do not count until a quorate view has them again, ascending: those that left cleanly (allow-downscale), those
/// given up (last-man-standing), those absent when an operator lowered the expected votes.</param>
/// <param name="Expected">Expected votes set by an operator, the witness not included; 0 = as configured.</param>
/// <param name="Last">Members of the last primary view, ascending, kept here only with a tie-breaker: it picks one of them.</param>
public sealed record QuorumTerms(
    ulong Counter, IReadOnlyList<Voter> Votes, IReadOnlyList<NodeId> Out, ulong Expected, IReadOnlyList<NodeId> Last)
{
    /// <summary>As configured.</summary>
    public static readonly QuorumTerms Configured = new(0, [], [], 0, []);

    /// <summary>What a node weighs whether or not its votes count now.</summary>
    public ulong WeightOf(Voter voter)
    {
        foreach (var changed in Votes)
        {
            if (changed.Node == voter.Node) return changed.Votes;
        }

        return voter.Votes;
    }

    /// <summary>The votes of a node that count.</summary>
    public ulong VotesOf(Voter voter) => Out.Contains(voter.Node) ? 0 : WeightOf(voter);

    /// <summary>True when both say the same, whatever their numbers.</summary>
    public bool HasContentOf(QuorumTerms other) =>
        Expected == other.Expected && Votes.SequenceEqual(other.Votes) && Out.SequenceEqual(other.Out) && Last.SequenceEqual(other.Last);

    /// <summary>Same number and same content.</summary>
    public bool IsSame(QuorumTerms other) => Counter == other.Counter && HasContentOf(other);

    /// <summary>Orders terms: by number; terms of one number (made by an operator on two sides) by what they say, the larger expectation first.</summary>
    public static int Compare(QuorumTerms left, QuorumTerms right)
    {
        var order = left.Counter.CompareTo(right.Counter);
        if (order == 0) order = left.Expected.CompareTo(right.Expected);
        if (order == 0) order = right.Out.Count.CompareTo(left.Out.Count);
        if (order == 0) order = Compare([.. left.Out.Select(n => (ulong)n.Value)], [.. right.Out.Select(n => (ulong)n.Value)]);
        if (order == 0) order = Compare([.. left.Votes.SelectMany(v => new[] { v.Node.Value, v.Votes })], [.. right.Votes.SelectMany(v => new[] { v.Node.Value, v.Votes })]);
        return order != 0 ? order : Compare([.. left.Last.Select(n => (ulong)n.Value)], [.. right.Last.Select(n => (ulong)n.Value)]);
    }

    private static int Compare(ReadOnlySpan<ulong> left, ReadOnlySpan<ulong> right) => left.SequenceCompareTo(right);
}

/// <summary>What a node knows about quorum across its starts. Durable.</summary>
/// <param name="Epoch">Number of the last primary view it took part in; 0 never.</param>
/// <param name="Members">Members of that view, ascending.</param>
/// <param name="Terms">The terms in force.</param>
/// <param name="Pending">Terms that were agreed to but are not known to be in force: a side has to satisfy them too. Ascending, numbers above that of <paramref name="Terms"/>.</param>
/// <param name="HighestExpected">Highest expected votes ever seen (expected-votes-tracking), the witness not included.</param>
public sealed record QuorumRecord(
    ulong Epoch, IReadOnlyList<NodeId> Members, QuorumTerms Terms, IReadOnlyList<QuorumTerms> Pending, ulong HighestExpected)
{
    /// <summary>More terms than this are never pending; no further change is taken then.</summary>
    public const int PendingMax = 32;

    /// <summary>What a node knows at its first start.</summary>
    public static readonly QuorumRecord Empty = new(0, [], QuorumTerms.Configured, [], 0);

    /// <summary>The record as bytes, for the disk; the layout is that of docs/protocol/wire.md, "Quorum".</summary>
    public byte[] Encode()
    {
        var writer = new QuorumWriter();
        writer.Record(this);
        return writer.ToArray();
    }

    /// <summary>Reads what <see cref="Encode"/> wrote; null when it is not that.</summary>
    public static QuorumRecord? Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new QuorumReader(bytes);
        return reader.Record() is { } record && reader.IsComplete ? record : null;
    }
}
