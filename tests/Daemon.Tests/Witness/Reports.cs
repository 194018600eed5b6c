using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Tests.Witness;

/// <summary>Short ways to write rings, reports and pictures.</summary>
internal static class Reports
{
    public static readonly TimeSpan Settle = TimeSpan.FromSeconds(2);

    public static Instant At(double seconds) => new((long)(seconds * 1e9));

    /// <summary>A ring named by its sequence and members; a member is node * 10 + start, so 11 is node 1 in its first start, 12 in its second.</summary>
    public static RingId RingOf(ulong sequence, params int[] members) => new(new NodeId((ushort)(members[0] / 10)), sequence, (ulong)members[0]);

    public static WeightedMember[] Members(params int[] members) => [.. members.Select(member => new WeightedMember(new NodeId((ushort)(member / 10)), (ulong)member, 1))];

    public static ViewMember[] Identities(params int[] members) => [.. Members(members).Select(member => member.Identity)];

    public static NodeReport Of(int member, RingId ring, int total, params int[] members) => new(
        new NodeId((ushort)(member / 10)), (ulong)member, ring, Members(members), (ulong)total, true, 7, HeuristicsResult.None, At(0));

    /// <summary>Every member of each part reports it.</summary>
    public static IEnumerable<NodeReport> All(int total, ulong sequence, params int[][] parts) =>
        parts.SelectMany((part, index) => part.Select(member => Of(member, RingOf(sequence + (ulong)index, part), total, part)));

    public static WitnessPicture Picture(WitnessAlgorithm algorithm, params IEnumerable<NodeReport> reports) => new()
    {
        Algorithm = algorithm,
        Settle = Settle,
        Reports = [.. reports.OrderBy(report => report.Node)],
    };

    public static Grant Holder(RingId ring, params int[] members) => new(ring, Identities(members), 5);

    public static OutstandingAnswer Answer(int member, RingId ring, double until, params int[] members) =>
        new(new NodeId((ushort)(member / 10)), ring, Identities(members), At(until));
}
