using System.Buffers.Binary;
using Membership.Fuzz.Engine;
using Membership.Links;


namespace Membership.Fuzz.Targets;

/// <summary>A body behind the seal of a member: heartbeats, probes, suspicions, frames and their fragments.</summary>
internal sealed class LinkBodyTarget : Target, IDisposable
{
    private const int Taken = 0, Malformed = 1, WrongTarget = 2, BadFragment = 3, Left = 4;

    private readonly NoLinks _sink = new();
    private LinkLayer _links;
    private bool _hasLeft;
    private Forger _forger;
    private Cluster _cluster;

    public LinkBodyTarget()
    {
        _cluster = new Cluster(2, isSealedForReal: false);
        _forger = new Forger(_cluster);
        _links = null!; // set by Begin
        Begin();
    }

    public override string Name => "links/body";

    public override IReadOnlyList<string> Reasons { get; } = ["taken", "Malformed", "WrongTarget", "BadFragment", "said that it leaves"];

    public override int LengthMax => 1400;

    public override bool IsStateful => true;

    public override IEnumerable<Seed> Seeds()
    {
        foreach (var kind in new[] { BodyKind.Heartbeat, BodyKind.Probe, BodyKind.ProbeReply })
        {
            var body = Targeted(kind, Report.Bytes);
            new Report(5, true, 1, new NodeSet(3), 1000, 0, 0).Write(body.AsSpan(1 + BodyTarget.Bytes));
            yield return new Seed(kind.ToString().ToLowerInvariant(), body);
        }

        yield return new Seed("path-probe", Targeted(BodyKind.PathProbe, 900));
        yield return new Seed("path-reply", Targeted(BodyKind.PathReply, 2));
        var suspicion = new byte[1 + SuspicionBody.Bytes];
        suspicion[0] = (byte)BodyKind.Suspicion;
        new SuspicionBody(new NodeSet(1), TimeSpan.FromMilliseconds(300)).Write(suspicion.AsSpan(1));
        yield return new Seed("suspicion", suspicion);
        yield return new Seed("leaving", [(byte)BodyKind.Leaving]);
        yield return new Seed("frame", [(byte)BodyKind.Frame, .. new byte[40]]);
        yield return new Seed("targeted-frame", Targeted(BodyKind.TargetedFrame, 40));
        yield return new Seed("fragment-whole", Fragment(7, 0, 1, 60, 60));
        yield return new Seed("fragment-first", Fragment(8, 0, 3, 150, 60));
        yield return new Seed("fragment-last", Fragment(8, 2, 3, 150, 60));
        yield return new Seed("fragment-of-64", Fragment(9, 0, 64, 64 * 20, 20));
        yield return new Seed("fragment-targeted", [.. Targeted(BodyKind.TargetedFragment, 0), .. Fragment(10, 0, 2, 80, 40)[1..]]);
    }

    public override void Reset() => Begin();

    public override void Prepare()
    {
        if (_hasLeft || _links.Dropped(DropReason.StaleSession) != 0) Begin();
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return Malformed;
        var before = (_links.Dropped(DropReason.Malformed), _links.Dropped(DropReason.WrongTarget), _links.Dropped(DropReason.BadFragment));
        _links.OnDatagram(_cluster.Now, Cluster.A, new NodeId(2), _forger.Seal(input), _sink);
        if (_links.Dropped(DropReason.Malformed) != before.Item1) return Malformed;
        if (_links.Dropped(DropReason.WrongTarget) != before.Item2) return WrongTarget;
        if (_links.Dropped(DropReason.BadFragment) != before.Item3) return BadFragment;
        _hasLeft = input is [(byte)BodyKind.Leaving];
        return _hasLeft ? Left : Taken;
    }

    /// <summary>A member that leaves ends its session, and all has to begin anew: not too often.</summary>
    public override void Repair(Span<byte> input)
    {
        if (input is [(byte)BodyKind.Leaving, ..]) input[0] = (byte)BodyKind.Suspicion;
    }

    // Also after a member has left, which ends its session.
    private void Begin()
    {
        _hasLeft = false;
        _cluster.Dispose();
        _forger.Dispose();
        _cluster = new Cluster(2, isSealedForReal: false).Form();
        _forger = new Forger(_cluster);
        _links = _cluster.Nodes[0].Core.Links;

        // The buffers of a peer's fragments are made at its first authentic piece and kept: four of 64 KiB (Reassembly).
        for (uint frame = 0; frame < Reassembly.FramesMax; frame++) _links.OnDatagram(_cluster.Now, Cluster.A, new NodeId(2), _forger.Seal(Fragment(frame, 0, 2, 80, 40)), _sink);
    }

    public void Dispose()
    {
        _forger.Dispose();
        _cluster.Dispose();
    }

    private byte[] Targeted(BodyKind kind, int rest)
    {
        var body = new byte[1 + BodyTarget.Bytes + rest];
        body[0] = (byte)kind;
        new BodyTarget(new NodeId(1), _cluster.Nodes[0].Boot.Short, Cluster.A).Write(body.AsSpan(1));
        if (rest == 2) BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(1 + BodyTarget.Bytes), 1232);
        return body;
    }

    private static byte[] Fragment(uint frame, byte index, byte count, int bytes, int piece)
    {
        var body = new byte[1 + FragmentHeader.Bytes + Math.Min(piece, bytes - (index * piece))];
        body[0] = (byte)BodyKind.Fragment;
        new FragmentHeader(frame, index, count, bytes, piece).Write(body.AsSpan(1));
        return body;
    }
}

/// <summary>Swallows what links want.</summary>
internal sealed class NoLinks : ILinkEffects
{
    public void Transmit(LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
    }

    public void Receive(NodeId from, BootId boot, ReadOnlySpan<byte> frame)
    {
    }

    public void PeerChanged(NodeId peer, BootId boot, PeerState state, PeerReason reason)
    {
    }

    public void PeerRow(NodeId peer, BootId boot, NodeSet hears)
    {
    }

    public void LinkChanged(NodeId peer, LinkId link, LinkState state)
    {
    }

    public void FrameLimitChanged(int frameBytesMax)
    {
    }

    public void Incompatible(NodeId peer, string mine, string theirs)
    {
    }
}
