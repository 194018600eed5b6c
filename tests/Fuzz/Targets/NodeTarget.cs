using System.Buffers.Binary;
using Membership.Fuzz.Engine;
using Membership.Links;
using Membership.Totem;

namespace Membership.Fuzz.Targets;

/// <summary>Any packet of the ring from a member that has the keys, against whole nodes that go on working: nothing may come out of a node but effects.</summary>
internal sealed class NodeTarget : Target, IDisposable
{
    private const int RunEvery = 16;

    private static readonly PacketKind[] Kinds = [.. Enum.GetValues<PacketKind>()];

    private readonly byte[] _body = new byte[4096];
    private readonly List<byte[]> _packets = [];
    private Cluster _cluster = new(3, isSealedForReal: false);
    private Forger _forger;
    private readonly Token _last = new();
    private int _runs;

    public NodeTarget()
    {
        _forger = new Forger(_cluster);
        Begin(isFirst: true);
    }

    public override string Name => "node/packet";

    public override IReadOnlyList<string> Reasons { get; } = [.. Enum.GetValues<PacketKind>().Select(kind => $"{kind} understood"), .. Enum.GetValues<PacketKind>().Where(kind => kind != PacketKind.HoldCancel).Select(kind => $"{kind} malformed"), "no packet"];

    public override int LengthMax => 1400;

    public override bool IsStateful => true;

    // What a node decides on (views, facts, groups' lists) is allocated; it does not grow with what a message claims.
    public override long AllocationMax(int length) => (4L * length) + (64 * 1024);

    public override int RateMin => 4_000;

    public override int Weight => 12;

    public override IEnumerable<Seed> Seeds()
    {
        foreach (var (packet, index) in _packets.GroupBy(packet => packet[0]).SelectMany(kind => kind.Take(1).Concat(kind.TakeLast(2))).Select((packet, index) => (packet, index)))
            yield return new Seed($"{((PacketKind)packet[0]).ToString().ToLowerInvariant()}-{index}", packet);
        yield return new Seed("leave", [(byte)PacketKind.Leave, .. RingBytes()]);
        yield return new Seed("hold-cancel", [(byte)PacketKind.HoldCancel, .. RingBytes()]);
        yield return new Seed("announce", Announce());
        foreach (var target in new Target[] { new TokenTarget(), new CommitTokenTarget(), new JoinTarget(), new DataFrameTarget() })
        {
            var kind = target switch { TokenTarget => PacketKind.Token, CommitTokenTarget => PacketKind.CommitToken, JoinTarget => PacketKind.Join, _ => PacketKind.Data };
            foreach (var seed in target.Seeds()) yield return new Seed($"{kind.ToString().ToLowerInvariant()}-{seed.Name}", kind == PacketKind.Data ? seed.Bytes : [(byte)kind, .. seed.Bytes]);
        }
    }

    public override void Reset() => Begin(isFirst: false);

    /// <summary>Most packets are of the ring in force, and tokens are new.</summary>
    public override void Repair(Span<byte> input)
    {
        if (input.Length < 40 || _cluster.Nodes[0].Core.View is not { } view) return;
        var at = (PacketKind)input[0] switch { PacketKind.Token or PacketKind.Leave or PacketKind.HoldCancel => 1, PacketKind.Data => 4, _ => 0 };
        if (at == 0) return;
        BinaryPrimitives.WriteUInt16LittleEndian(input[at..], view.Id.Ring.Representative.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(input[(at + 2)..], view.Id.Ring.Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(input[(at + 10)..], view.Id.Ring.Incarnation);
        if (at == 1 && input[0] == (byte)PacketKind.Token) BinaryPrimitives.WriteUInt64LittleEndian(input[19..], _last.TokenSeq + 1 + (input[19] & 3UL));
    }

    public override void Prepare()
    {
        if (++_runs % RunEvery == 0) GoOn();
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var node = _cluster.Nodes[0];
        var malformed = node.Malformed;
        _body[0] = (byte)BodyKind.Frame;
        input.CopyTo(_body.AsSpan(1));
        node.Core.OnDatagram(_cluster.Now, Cluster.A, new NodeId(2), _forger.Seal(_body.AsSpan(0, 1 + input.Length)), node);
        node.Core.OnBatchEnd(_cluster.Now, node);
        var isMalformed = node.Malformed != malformed;
        var kind = input.IsEmpty ? -1 : Array.IndexOf(Kinds, (PacketKind)input[0]);
        if (kind < 0) return Reasons.Count - 1;
        return isMalformed ? Kinds.Length + Math.Min(kind, Kinds.Length - 2) : kind;
    }

    public void Dispose()
    {
        _forger.Dispose();
        _cluster.Dispose();
    }

    /// <summary>All nodes work on for a moment, with messages of their own.</summary>
    private void GoOn()
    {
        _cluster.Run(TimeSpan.FromMilliseconds(_runs % (64 * RunEvery) == 0 ? 1500 : 1));
        var sender = _cluster.Nodes[_runs / RunEvery % 3];
        _ = sender.Core.Submit(_cluster.Now, "still here"u8, (_runs & RunEvery) == 0 ? DeliveryLevel.Agreed : DeliveryLevel.Safe, sender);
        sender.Core.OnSubmitted(_cluster.Now, sender);
        foreach (var node in _cluster.Nodes)
        {
            if (node.Core.View is { } view && !view.Members.Any(member => member.Node == _cluster.Table[_cluster.Nodes.IndexOf(node)]))
                throw new BrokenPromiseException("a node is in a view without itself");
        }
    }

    private void Begin(bool isFirst)
    {
        _forger.Dispose();
        _cluster.Dispose();
        _runs = 0;
        _cluster = new Cluster(3, isSealedForReal: false) { Recording = [] };
        _cluster.Form();
        foreach (var host in _cluster.Nodes)
        {
            _ = host.Core.Submit(_cluster.Now, new byte[40], DeliveryLevel.Agreed, host);
            _ = host.Core.Submit(_cluster.Now, new byte[3000], DeliveryLevel.Safe, host);
            host.Core.JoinGroup(_cluster.Now, 7, 100, "fuzz", host);
            host.Core.OnSubmitted(_cluster.Now, host);
        }

        _cluster.Run(TimeSpan.FromMilliseconds(20));
        foreach (var datagram in _cluster.Recording!)
        {
            if (datagram[1] != (byte)WireClass.Sealed) continue;
            var packet = datagram[24] switch { (byte)BodyKind.Frame => datagram[25..^16], (byte)BodyKind.TargetedFrame => datagram[36..^16], _ => [] };
            if (packet.Length == 0) continue;
            if (isFirst) _packets.Add(packet);
            if (packet[0] == (byte)PacketKind.Token) _last.TryRead(packet.AsSpan(1));
        }

        _cluster.Recording = null;
        _forger = new Forger(_cluster);
    }

    private byte[] RingBytes()
    {
        var bytes = new byte[18];
        var ring = _cluster.Nodes[0].Core.View!.Id.Ring; // formed
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, ring.Representative.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(2), ring.Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(10), ring.Incarnation);
        return bytes;
    }

    private byte[] Announce()
    {
        var buffer = new byte[128];
        var writer = new PacketWriter(buffer);
        writer.Byte((byte)PacketKind.Announce);
        writer.Ring(RingExamples.OldRing);
        JoinMessage.WriteTable(ref writer, RingExamples.Table);
        writer.UInt64(2);
        writer.UInt64(0);
        return buffer[..writer.Length];
    }
}
