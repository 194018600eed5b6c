using System.Buffers.Binary;

namespace Membership.Links;

/// <content>How large a datagram each path carries (<see cref="PathSearch"/> decides; here is its traffic).</content>
public sealed partial class LinkLayer
{
    private static readonly TimeSpan PathAnswerMin = TimeSpan.FromMilliseconds(50);

    private void SearchPathWhenDue(Instant now, Peer peer, PeerLink link, ILinkEffects effects)
    {
        if (link.State != LinkState.Up) return;
        var answer = _pace > PathAnswerMin ? _pace : PathAnswerMin;
        if (link.Rtt is { } rtt && rtt * 2 > answer) answer = rtt * 2;
        var size = link.Path.NextProbe(now, link.LastHeard ?? now, answer, out var hasShrunk);
        if (hasShrunk) Reroute(effects);
        if (size != 0) SendPathProbe(now, peer, link, size, effects);
        Arm(link.Path.Next);
    }

    private void SendPathProbe(Instant now, Peer peer, PeerLink link, int size, ILinkEffects effects)
    {
        var body = BeginSealed(now, link.Id, peer.Set, BodyKind.PathProbe, size - WireHeader.Overhead - 1, effects, out var datagram);
        new BodyTarget(peer.Node, SessionOf(peer).Boot.Short, link.Id).Write(body);
        body[BodyTarget.Bytes..].Clear();
        EndSealed(link.Id, datagram);
        _hasControl = true;
    }

    private void OnPathProbe(Instant now, Peer peer, PeerLink link, int datagramBytes, ILinkEffects effects)
    {
        Heard(now, peer, link, isAnswer: false, effects);
        var body = BeginSealed(now, link.Id, peer.Set, BodyKind.PathReply, BodyTarget.Bytes + sizeof(ushort), effects, out var datagram);
        new BodyTarget(peer.Node, SessionOf(peer).Boot.Short, link.Id).Write(body);
        BinaryPrimitives.WriteUInt16LittleEndian(body[BodyTarget.Bytes..], (ushort)datagramBytes);
        EndSealed(link.Id, datagram);
        _hasControl = true;
    }

    private void OnPathReply(Instant now, Peer peer, PeerLink link, ReadOnlySpan<byte> rest, ILinkEffects effects)
    {
        if (rest.Length != sizeof(ushort)) { Drop(DropReason.Malformed); return; }
        Heard(now, peer, link, isAnswer: false, effects);
        if (link.Path.OnReply(now, BinaryPrimitives.ReadUInt16LittleEndian(rest))) Reroute(effects);
        Arm(link.Path.Next);
    }
}
