using System.Globalization;
using Membership.Daemon.Configuration;
using Membership.Daemon.Witness.Rule;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Membership.V1;

namespace Membership.Daemon.Witness;

/// <summary>Between messages of the witness's protocol and checked values. What cannot be a value is refused with a sentence, never taken in part.</summary>
internal static class WitnessCodec
{
    /// <summary>Bound of one message of the protocol: a report of the largest cluster has less than 4 KiB.</summary>
    public const int MessageBytesMax = 16 * 1024;

    private const int DigestDigits = 16;

    /// <summary>Longest settling time: that of the slowest timing a configuration may have.</summary>
    public static readonly TimeSpan SettleMax = TimeSpan.FromMinutes(3);

    /// <summary>Shortest lease: three renewals must fit in, over a slow line.</summary>
    public static readonly TimeSpan LeaseMin = TimeSpan.FromSeconds(1);

    /// <summary>Longest lease: for so long nobody else gets the votes of a part that fell silent.</summary>
    public static readonly TimeSpan LeaseMax = TimeSpan.FromMinutes(6);

    /// <summary>Reads a hello; null with the reason.</summary>
    public static SessionHello? Read(WitnessHello hello, out string why)
    {
        why = "";
        if (!ConfigurationReader.IsName(hello.Cluster)) why = $"the cluster is named {Printable.Value(hello.Cluster)}, not {ConfigurationReader.NameForm}";
        else if (!ConfigurationReader.IsName(hello.NodeName)) why = $"the node is named {Printable.Value(hello.NodeName)}, not {ConfigurationReader.NameForm}";
        else if (hello.Node is 0 or > ushort.MaxValue) why = $"node {hello.Node} is not 1 to {ushort.MaxValue}";
        else if (hello.ConfigDigest.Length != DigestDigits || !hello.ConfigDigest.All(char.IsAsciiHexDigitLower)) why = $"the digest is {Printable.Value(hello.ConfigDigest)}, not {DigestDigits} hex digits";
        else if (hello.Method is not (WitnessMethod.Ffsplit or WitnessMethod.Lms)) why = $"method {(int)hello.Method} is not known here";
        else if (hello.Tie is < WitnessTie.Lowest or > WitnessTie.List) why = $"tie-breaker {(int)hello.Tie} is not known here";
        else if (hello.TieNodes.Count > NodeTable.Max || hello.TieNodes.Any(node => node is 0 or > ushort.MaxValue)) why = "the tie-breaker's nodes are not nodes";
        else if (Milliseconds(hello.LeaseMs) < LeaseMin || Milliseconds(hello.LeaseMs) > LeaseMax) why = $"a lease of {hello.LeaseMs} ms is not {Units.Text(LeaseMin)} to {Units.Text(LeaseMax)}";
        else if (hello.SettleMs == 0 || Milliseconds(hello.SettleMs) > SettleMax) why = $"a settling time of {hello.SettleMs} ms is not 1ms to {Units.Text(SettleMax)}";
        if (why.Length > 0) return null;
        var tie = new WitnessTieBreaker(
            hello.Tie switch { WitnessTie.Highest => TieBreakerKind.Highest, WitnessTie.List => TieBreakerKind.List, _ => TieBreakerKind.Lowest },
            [.. hello.TieNodes.Select(node => new NodeId((ushort)node))]);
        return new SessionHello(new NodeId((ushort)hello.Node), hello.Boot, hello.ConfigDigest, Algorithm(hello.Method), hello.Votes, tie,
            Milliseconds(hello.LeaseMs), Milliseconds(hello.SettleMs));
    }

    /// <summary>Reads a report of the node of a session; null with the reason.</summary>
    public static NodeReport? Read(WitnessReport report, SessionHello from, out string why)
    {
        why = "";
        var members = new List<WeightedMember>();
        if (report.Number == 0) why = "report 0 is not a number from 1";
        else if (report.Ring is not { Representative: > 0 and <= ushort.MaxValue }) why = "a report without a ring";
        else if (report.Heuristics is < Heuristics.None or > Heuristics.Failed) why = $"heuristics {(int)report.Heuristics} are not known here";
        else if (report.Members.Count is 0 or > NodeTable.Max) why = $"{report.Members.Count} members are not 1 to {NodeTable.Max}";
        else if (!TryMembers(report, members)) why = "members that are not ascending nodes whose votes add up to at most those of the cluster";
        else if (!members.Exists(member => member.Node == from.Node && member.Boot == from.Boot)) why = $"a view without node {from.Node} itself";
        else if (!members.Exists(member => member.Node.Value == report.Ring.Representative)) why = "a ring whose representative is no member";
        if (why.Length > 0) return null;
        return new NodeReport(from.Node, from.Boot, Ring(report.Ring!), members, report.TotalVotes, report.WasQuorate, report.PrimaryEpoch,
            (HeuristicsResult)report.Heuristics, default);
    }

    /// <summary>The ring of a message; <see cref="RingId.None"/> where none is.</summary>
    public static RingId Ring(WitnessRing? ring) =>
        ring is null ? RingId.None : new RingId(new NodeId((ushort)ring.Representative), ring.Sequence, ring.Incarnation);

    /// <summary>A ring for a message.</summary>
    public static WitnessRing Ring(RingId ring) => new() { Representative = ring.Representative.Value, Sequence = ring.Sequence, Incarnation = ring.Incarnation };

    /// <summary>An answer for the wire.</summary>
    public static V1.WitnessAnswer Write(SessionAnswer answer) => new()
    {
        Number = answer.Number,
        Ring = Ring(answer.Ring),
        Verdict = answer.Verdict switch
        {
            Verdict.Granted => WitnessVerdict.Granted,
            Verdict.Refused => WitnessVerdict.Refused,
            _ => WitnessVerdict.Wait,
        },
        Epoch = answer.Epoch,
        LeaseMs = answer.Verdict is Verdict.Granted ? (uint)answer.Lease.TotalMilliseconds : 0,
        Reason = answer.Reason,
    };

    /// <summary>As the configuration of a witness calls it.</summary>
    public static string Word(WitnessAlgorithm algorithm) => algorithm is WitnessAlgorithm.LastManStanding ? "lms" : "ffsplit";

    /// <summary>The algorithm of a method that is known.</summary>
    public static WitnessAlgorithm Algorithm(WitnessMethod method) =>
        method is WitnessMethod.Lms ? WitnessAlgorithm.LastManStanding : WitnessAlgorithm.FiftyFiftySplit;

    private static bool TryMembers(WitnessReport report, List<WeightedMember> members)
    {
        var before = 0u;
        var votes = 0UL;
        foreach (var member in report.Members)
        {
            if (member.Node <= before || member.Node > ushort.MaxValue) return false;
            if (member.Votes > report.TotalVotes - votes) return false;
            before = member.Node;
            votes += member.Votes;
            members.Add(new WeightedMember(new NodeId((ushort)member.Node), member.Boot, member.Votes));
        }

        return true;
    }

    private static TimeSpan Milliseconds(uint value) => TimeSpan.FromMilliseconds((double)value);

    /// <summary>A digest as 16 hex digits.</summary>
    public static string Digest(ulong digest) => digest.ToString("x16", CultureInfo.InvariantCulture);
}
