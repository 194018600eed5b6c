using Membership.Fuzz.Engine;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Fuzz.Targets;

/// <summary>Messages of quorum's service as members order them. First byte: who sent it, and whether the reports of the view are still under way.</summary>
internal sealed class QuorumMessageTarget : Target, IQuorumEffects
{
    private static readonly ViewMember[] Members = [new(new NodeId(1), 11), new(new NodeId(2), 22), new(new NodeId(3), 33)];
    private static readonly RingId Ring = new(new NodeId(1), 4, 11);

    private QuorumNode _node = null!; // set by Begin
    private QuorumNode _waiting = null!;

    public QuorumMessageTarget() => Begin();

    public override string Name => "quorum/message";

    public override IReadOnlyList<string> Reasons { get; } = ["understood", "of another ring", "malformed"];

    public override int LengthMax => 512;

    public override bool IsStateful => true;

    // The acknowledgement that ends a round has the node judge all proposals that have waited meanwhile, each with a verdict that names every node in a sentence. In a cluster
    // a member has at most QuorumNode.ChangesMax (64) of them under way, 192 of three; here only the end of a block limits them: 2048, and this is 2 KiB for each. In 1.3 million
    // executions one run took 203224 bytes at most, so what a message merely claims is not found below that; the record inside a report has a target of its own (quorum/record), held to 4 KiB and 40 bytes for each of the input.
    public override long AllocationMax(int length) => (4L * length) + (4 * 1024 * 1024);

    public override IEnumerable<Seed> Seeds()
    {
        foreach (var (name, record) in new[] { ("empty", QuorumRecord.Empty), ("small", Records.Small), ("wide", Records.Wide) })
        {
            yield return Of($"report-{name}", 2, QuorumMessageKind.Report, Ring, writer => new QuorumReport(false, true, false, record).Write(writer));
            yield return Of($"report-{name}-waiting", 130, QuorumMessageKind.Report, Ring, writer => new QuorumReport(true, false, true, record).Write(writer));
        }

        foreach (var kind in Enum.GetValues<ProposalKind>())
        {
            yield return Of($"propose-{kind}".ToLowerInvariant(), 1, QuorumMessageKind.Propose, Ring, writer =>
            {
                writer.UInt64(5);
                writer.Byte((byte)kind);
                writer.UInt16(2);
                writer.UInt64(3);
                writer.Byte(1);
            });
        }

        yield return Of("acknowledge", 3, QuorumMessageKind.Acknowledge, Ring, writer => writer.UInt64(1));
        yield return Of("other-ring", 3, QuorumMessageKind.Acknowledge, Ring with { Sequence = 8 }, writer => writer.UInt64(1));
        yield return Of("witness", 2, QuorumMessageKind.Witness, Ring, writer =>
        {
            writer.Byte(1);
            writer.UInt64(9);
        });
    }

    public override void Reset() => Begin();

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 2;
        var node = input[0] >= 128 ? _waiting : _node;
        var before = node.Malformed;
        var sender = Members[input[0] % 3];
        node.OnMessage(default, new Delivery(Ring, new Seq(9), 0, sender.Node, sender.Boot, 1, DeliveryLevel.Agreed, 1), input[1..], this);
        if (node.Malformed != before) return 2;
        var reader = new QuorumReader(input[1..]);
        reader.Byte();
        return reader.Ring() == Ring ? 0 : 1;
    }

    public void Submit(ReadOnlySpan<byte> payload)
    {
    }

    public void Changed(QuorumState state)
    {
    }

    public void Persist(QuorumRecord record)
    {
    }

    public void ChangeDone(ulong tag, string? error)
    {
    }

    private void Begin()
    {
        _node = Make();
        _waiting = Make();
        var writer = new QuorumWriter();
        writer.Byte((byte)QuorumMessageKind.Report);
        writer.Ring(Ring);
        new QuorumReport(false, false, true, QuorumRecord.Empty).Write(writer);
        foreach (var member in Members) _node.OnMessage(default, new Delivery(Ring, new Seq(1), 0, member.Node, member.Boot, 1, DeliveryLevel.Agreed, 1), writer.ToArray(), this);
    }

    private QuorumNode Make()
    {
        var node = new QuorumNode(
            new QuorumOptions { Self = new NodeId(1), Voters = [.. Members.Select(member => new Voter(member.Node, 1))], Witness = WitnessAlgorithm.LastManStanding, WitnessVotes = 2 }, 11, null);
        node.OnView(default, new View(ViewId.Regular(Ring), Members, null, Members, []), this);
        return node;
    }

    private static Seed Of(string name, byte selector, QuorumMessageKind kind, RingId ring, Action<QuorumWriter> write)
    {
        var writer = new QuorumWriter();
        writer.Byte(selector);
        writer.Byte((byte)kind);
        writer.Ring(ring);
        write(writer);
        return new Seed(name, writer.ToArray());
    }
}
