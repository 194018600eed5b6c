using System.Numerics;

namespace Membership.Links;

/// <content>Frames out: which links carry them, sealed once per link, cut where a path is too small, batched.</content>
public sealed partial class LinkLayer
{
    /// <summary>What a frame can cost beyond itself: header, tag, kind and target.</summary>
    private const int FrameOverhead = WireHeader.Overhead + 1 + BodyTarget.Bytes;

    /// <summary>What a piece can cost beyond itself.</summary>
    private const int FragmentOverhead = FrameOverhead + FragmentHeader.Bytes;

    /// <summary>A path of this size still carries the largest frame in 64 pieces.</summary>
    private const int SmallestPathBytes = (FragmentedFrameBytesMax / FragmentHeader.CountMax) + FragmentOverhead;

    private readonly ICipher[] _sealing;
    private readonly ulong[] _counters;
    private readonly SendBatch[] _batches;
    private readonly LinkId[] _linkOrder;
    private bool _hasControl;
    private uint _turn;
    private uint _fragmentedFrames;

    /// <summary>Smallest path that a frame may take now: what fits it goes to everybody whole.</summary>
    private int _routedPathMin;

    /// <summary>Queues one frame for every node of <paramref name="targets"/> (self is skipped); sealed once per link. Sent at the next <see cref="Flush"/>, or before when the batch is full.</summary>
    /// <remarks>Nodes without a way (unknown or dead) are skipped. A frame too large for the path to a node travels to it in pieces.</remarks>
    /// <exception cref="ArgumentException">The frame is longer than <see cref="FragmentedFrameBytesMax"/>.</exception>
    public void Send(Instant now, NodeSet targets, ReadOnlySpan<byte> frame, ILinkEffects effects)
    {
        CheckFrame(frame.Length);
        if (_hasLeft) return;
        Span<ulong> perLink = stackalloc ulong[LinkId.Max];
        perLink.Clear();
        SplitByLink(targets & _options.Nodes.All.Without(_self), perLink);
        foreach (var link in _linkOrder)
        {
            var set = new NodeSet(perLink[link.Index]);
            if (set.IsEmpty) continue;
            var narrow = frame.Length + FrameOverhead <= _routedPathMin ? NodeSet.Empty : Narrower(set, link, frame.Length + WireHeader.Overhead + 1);
            if (!(set - narrow).IsEmpty) SendToSet(now, link, set - narrow, BodyKind.Frame, frame, effects);
            if (!narrow.IsEmpty) SendPieces(now, link, narrow, target: null, frame, effects);
        }
    }

    /// <summary>Queues one frame for one node; bound to that node's boot and link, so it is void anywhere else (tokens).</summary>
    /// <exception cref="ArgumentException">The frame is longer than <see cref="FragmentedFrameBytesMax"/>.</exception>
    public void SendTo(Instant now, NodeId target, ReadOnlySpan<byte> frame, ILinkEffects effects)
    {
        CheckFrame(frame.Length);
        if (_hasLeft || !_options.Nodes.TryPosition(target, out var position) || _table[position] is not { Session: { } session } peer) return;
        Span<ulong> perLink = stackalloc ulong[LinkId.Max];
        perLink.Clear();
        SplitByLink(peer.Set, perLink);
        foreach (var link in _linkOrder)
        {
            if (perLink[link.Index] == 0) continue;
            var bound = new BodyTarget(peer.Node, session.Boot.Short, link);
            if (peer.Links[link.Index].Path.Bytes < frame.Length + FrameOverhead) SendPieces(now, link, peer.Set, bound, frame, effects);
            else
            {
                var body = BeginSealed(now, link, peer.Set, BodyKind.TargetedFrame, BodyTarget.Bytes + frame.Length, effects, out var datagram);
                bound.Write(body);
                frame.CopyTo(body[BodyTarget.Bytes..]);
                EndSealed(link, datagram);
            }
        }
    }

    /// <summary>Transmits what is queued. Called by the node at the end of each input and between the parts of a token visit.</summary>
    public void Flush(ILinkEffects effects)
    {
        foreach (var link in _linkOrder) FlushLink(link, effects);
        _hasControl = false;
    }

    private void FlushControl(ILinkEffects effects)
    {
        if (_hasControl) Flush(effects);
    }

    private void FlushLink(LinkId link, ILinkEffects effects)
    {
        var batch = _batches[link.Index];
        if (batch.Count == 0) return;
        effects.Transmit(link, batch.Targets, batch.Datagrams, batch.SegmentBytes);
        batch.Clear();
    }

    private static void CheckFrame(int bytes)
    {
        if (bytes > FragmentedFrameBytesMax) throw new ArgumentException($"a frame has at most {FragmentedFrameBytesMax} bytes, not {bytes}", nameof(bytes));
    }

    /// <summary>Adds each target's bit to the link or links that carry this frame to it.</summary>
    private void SplitByLink(NodeSet targets, Span<ulong> perLink)
    {
        _turn++;
        foreach (var position in targets)
        {
            if (_table[position] is not { Routes: not 0 } peer) continue;
            switch (_options.Policy)
            {
                case LinkPolicy.Passive: perLink[peer.Best.Index] |= peer.Set.Bits; break;
                case LinkPolicy.RoundRobin: perLink[InTurn(peer.Routes)] |= peer.Set.Bits; break;
                default:
                    for (uint rest = peer.Routes; rest != 0; rest &= rest - 1) perLink[BitOperations.TrailingZeroCount(rest)] |= peer.Set.Bits;
                    break;
            }
        }
    }

    private int InTurn(uint routes)
    {
        for (var skip = _turn % (uint)BitOperations.PopCount(routes); skip > 0; skip--) routes &= routes - 1;
        return BitOperations.TrailingZeroCount(routes);
    }

    /// <summary>Those of a set whose path on this link does not carry a datagram of this size.</summary>
    private NodeSet Narrower(NodeSet set, LinkId link, int datagramBytes)
    {
        var narrow = NodeSet.Empty;
        foreach (var position in set)
            if (_table[position] is { } peer && peer.Links[link.Index].Path.Bytes < datagramBytes) narrow |= peer.Set;
        return narrow;
    }

    private void SendToSet(Instant now, LinkId link, NodeSet set, BodyKind kind, ReadOnlySpan<byte> payload, ILinkEffects effects)
    {
        if (set.IsEmpty) return;
        var body = BeginSealed(now, link, set, kind, payload.Length, effects, out var datagram);
        payload.CopyTo(body);
        EndSealed(link, datagram);
    }

    private void SendPieces(Instant now, LinkId link, NodeSet set, BodyTarget? target, ReadOnlySpan<byte> frame, ILinkEffects effects)
    {
        var path = _options.DatagramBytesMax;
        foreach (var position in set)
            if (_table[position] is { } peer) path = Math.Min(path, peer.Links[link.Index].Path.Bytes);
        var pieceBytes = Math.Min(path - FragmentOverhead, frame.Length);
        var count = (frame.Length + pieceBytes - 1) / pieceBytes;
        Invariant.Holds(count <= FragmentHeader.CountMax, "LINKS-4");
        var number = ++_fragmentedFrames;
        for (var index = 0; index < count; index++)
        {
            var header = new FragmentHeader(number, (byte)index, (byte)count, frame.Length, pieceBytes);
            var piece = frame[header.Offset..Math.Min(frame.Length, header.Offset + pieceBytes)];
            var kind = target is null ? BodyKind.Fragment : BodyKind.TargetedFragment;
            var body = BeginSealed(now, link, set, kind, (target is null ? 0 : BodyTarget.Bytes) + FragmentHeader.Bytes + piece.Length, effects, out var datagram);
            if (target is { } bound)
            {
                bound.Write(body);
                body = body[BodyTarget.Bytes..];
            }
            header.Write(body);
            piece.CopyTo(body[FragmentHeader.Bytes..]);
            EndSealed(link, datagram);
        }
    }

    /// <summary>Room in the link's batch for a body of <paramref name="bytes"/> behind its kind; <see cref="EndSealed"/> follows once it is filled.</summary>
    private Span<byte> BeginSealed(Instant now, LinkId link, NodeSet set, BodyKind kind, int bytes, ILinkEffects effects, out Span<byte> datagram)
    {
        datagram = Room(link, set, WireHeader.Overhead + 1 + bytes, effects);
        NoteSent(now, link, set, datagram.Length);
        datagram[WireHeader.Bytes] = (byte)kind;
        return datagram[(WireHeader.Bytes + 1)..^ICipher.TagBytes];
    }

    private void EndSealed(LinkId link, Span<byte> datagram) =>
        SealInPlace(link, WireClass.Sealed, ++_counters[link.Index], _sealing[link.Index], datagram);

    private Span<byte> Room(LinkId link, NodeSet set, int bytes, ILinkEffects effects)
    {
        var batch = _batches[link.Index];
        if (!batch.Fits(set, bytes)) FlushLink(link, effects);
        return batch.Add(set, bytes);
    }

    private void SealInPlace(LinkId link, WireClass wireClass, ulong counter, ICipher cipher, Span<byte> datagram)
    {
        var header = new WireHeader(
            WireHeader.CurrentVersion, wireClass, _keys.Id(_keys.Active), link, _options.Self, datagram.Length, counter, _boot.Short);
        header.Write(datagram);
        Span<byte> nonce = stackalloc byte[WireHeader.NonceBytes];
        header.WriteNonce(nonce);
        var body = datagram[WireHeader.Bytes..];
        cipher.Seal(nonce, datagram[..WireHeader.Bytes], body[..^ICipher.TagBytes], body);
    }

    private void NoteSent(Instant now, LinkId link, NodeSet set, int bytes)
    {
        foreach (var position in set)
        {
            if (_table[position] is not { } peer) continue;
            var at = peer.Links[link.Index];
            at.LastSent = now;
            if (bytes <= _options.DatagramBytesMin || bytes > at.Path.Bytes) continue;
            at.Path.NoteLarge(now);
            Arm(at.Path.Next);
        }
    }

    /// <summary>Chooses the links to every peer anew; called whenever a link or a path changed.</summary>
    private void Reroute(ILinkEffects effects)
    {
        var routed = _options.DatagramBytesMax;
        var any = false;
        var limit = _options.DatagramBytesMax;
        foreach (var peer in _peers)
        {
            peer.Routes = RoutesTo(peer);
            if (peer.Routes == 0) continue;
            foreach (var link in _linkOrder)
            {
                if ((peer.Routes & (1 << link.Index)) == 0) continue;
                peer.Best = link;
                break;
            }
            var path = NarrowestPath(peer);
            routed = Math.Min(routed, path);
            if (peer.State != PeerState.Reachable) continue;
            limit = Math.Min(limit, path);
            any = true;
        }
        _routedPathMin = routed;
        var frameBytes = (any ? limit : _options.DatagramBytesMin) - FrameOverhead;
        if (frameBytes == FrameBytesMax) return;
        FrameBytesMax = frameBytes;
        effects.FrameLimitChanged(frameBytes);
    }

    /// <summary>Links that are up; where none is, those with at least one direction; none to unknown and dead peers.</summary>
    private static byte RoutesTo(Peer peer)
    {
        if (peer.State is PeerState.Unknown or PeerState.Dead) return 0;
        int up = 0, half = 0;
        foreach (var link in peer.Links)
        {
            if (link.State == LinkState.Up) up |= 1 << link.Id.Index;
            if (link.State == LinkState.OneWay) half |= 1 << link.Id.Index;
        }
        return (byte)(up != 0 ? up : half);
    }

    private int NarrowestPath(Peer peer)
    {
        if (_options.Policy == LinkPolicy.Passive) return peer.Links[peer.Best.Index].Path.Bytes;
        var narrowest = _options.DatagramBytesMax;
        foreach (var link in peer.Links)
            if ((peer.Routes & (1 << link.Id.Index)) != 0) narrowest = Math.Min(narrowest, link.Path.Bytes);
        return narrowest;
    }
}
