namespace Membership.Links;

/// <content>A datagram in: refuse, open, and hand its body to whom it concerns.</content>
public sealed partial class LinkLayer
{
    /// <summary>The refusals that need no state beyond header, sender's session and tag. Nothing has changed but the replay window when it returns.</summary>
    private bool TryOpen(LinkId link, NodeId? source, ReadOnlySpan<byte> datagram, out Peer peer, out WireHeader header, out ReadOnlySpan<byte> body, out DropReason reason)
    {
        peer = _peers.Length > 0 ? _peers[0] : null!; // never used where this returns false
        header = default;
        body = default;
        reason = DropReason.TooShort;
        if (datagram.Length <= WireHeader.Overhead) return false;
        header = WireHeader.Read(datagram);
        reason = DropReason.UnknownVersion;
        if (header.Version != WireHeader.CurrentVersion || header.Class > WireClass.Sealed) return false;
        reason = DropReason.BadLength;
        if (header.Length != datagram.Length || datagram.Length > _options.DatagramBytesMax) return false;
        reason = DropReason.UnknownSender;
        if (!_options.Nodes.TryPosition(header.Sender, out var position) || _table[position] is not { } sender) return false;
        reason = DropReason.UnknownSource;
        if (source != header.Sender) return false;
        reason = DropReason.WrongTarget;
        if (header.Link != link || link.Index >= _options.LinkCount) return false;
        reason = DropReason.UnknownKey;
        if (!_keys.TrySlot(header.KeyId, out var slot)) return false;
        peer = sender;
        return header.Class == WireClass.Handshake
            ? TryOpenHandshake(slot, header, datagram, out body, out reason)
            : TryOpenSealed(slot, peer, header, datagram, out body, out reason);
    }

    private bool TryOpenHandshake(int slot, scoped in WireHeader header, ReadOnlySpan<byte> datagram, out ReadOnlySpan<byte> body, out DropReason reason)
    {
        reason = DropReason.BadTag;
        return TryOpenWith(_keys.Handshake(slot), header, datagram, out body);
    }

    private bool TryOpenSealed(int slot, Peer peer, scoped in WireHeader header, ReadOnlySpan<byte> datagram, out ReadOnlySpan<byte> body, out DropReason reason)
    {
        body = default;
        reason = DropReason.StaleSession;
        if (peer.Session is not { HasLeft: false } session || session.Boot.Short != header.BootShort) return false;
        reason = DropReason.Replay;
        var window = session.Window(header.Link);
        if (window.IsStale(header.Counter)) return false;
        reason = DropReason.BadTag;
        if (!TryOpenWith(session.Cipher(slot, header.Link), header, datagram, out body)) return false;
        window.Accept(header.Counter);
        return true;
    }

    private bool TryOpenWith(ICipher cipher, scoped in WireHeader header, ReadOnlySpan<byte> datagram, out ReadOnlySpan<byte> body)
    {
        Span<byte> nonce = stackalloc byte[WireHeader.NonceBytes];
        header.WriteNonce(nonce);
        var opened = _opened.AsSpan(0, datagram.Length - WireHeader.Overhead);
        body = opened;
        return cipher.TryOpen(nonce, datagram[..WireHeader.Bytes], datagram[WireHeader.Bytes..], opened);
    }

    private void OnSealed(Instant now, Peer peer, PeerLink link, int datagramBytes, ReadOnlySpan<byte> body, ILinkEffects effects)
    {
        var kind = (BodyKind)body[0];
        var rest = body[1..];
        if (IsTargeted(kind))
        {
            if (rest.Length < BodyTarget.Bytes) { Drop(DropReason.Malformed); return; }
            if (BodyTarget.Read(rest) != new BodyTarget(_options.Self, _boot.Short, link.Id)) { Drop(DropReason.WrongTarget); return; }
            rest = rest[BodyTarget.Bytes..];
        }
        switch (kind)
        {
            case BodyKind.Heartbeat:
            case BodyKind.Probe:
            case BodyKind.ProbeReply: OnReport(now, peer, link, kind, rest, effects); break;
            case BodyKind.PathProbe: OnPathProbe(now, peer, link, datagramBytes, effects); break;
            case BodyKind.PathReply: OnPathReply(now, peer, link, rest, effects); break;
            case BodyKind.Suspicion: OnPeerSuspicion(now, peer, link, rest, effects); break;
            case BodyKind.Leaving: OnLeaving(now, peer, rest, effects); break;
            case BodyKind.Frame:
            case BodyKind.TargetedFrame: OnFrame(now, peer, link, rest, effects); break;
            case BodyKind.Fragment:
            case BodyKind.TargetedFragment: OnFragment(now, peer, link, rest, effects); break;
            default: Drop(DropReason.Malformed); break;
        }
    }

    private static bool IsTargeted(BodyKind kind) => kind is BodyKind.Heartbeat or BodyKind.Probe or BodyKind.ProbeReply
        or BodyKind.PathProbe or BodyKind.PathReply or BodyKind.TargetedFrame or BodyKind.TargetedFragment;

    private void OnFrame(Instant now, Peer peer, PeerLink link, ReadOnlySpan<byte> frame, ILinkEffects effects)
    {
        Heard(now, peer, link, isAnswer: false, effects);
        effects.Receive(peer.Node, SessionOf(peer).Boot, frame);
    }

    private void OnFragment(Instant now, Peer peer, PeerLink link, ReadOnlySpan<byte> rest, ILinkEffects effects)
    {
        if (rest.Length < FragmentHeader.Bytes) { Drop(DropReason.Malformed); return; }
        var piece = rest[FragmentHeader.Bytes..];
        if (!FragmentHeader.TryRead(rest, piece.Length, out var header)) { Drop(DropReason.BadFragment); return; }
        Heard(now, peer, link, isAnswer: false, effects);
        switch (peer.Fragments.Add(header, piece, out var frame))
        {
            case Reassembly.Outcome.Complete: effects.Receive(peer.Node, SessionOf(peer).Boot, frame); break;
            case Reassembly.Outcome.Refused: Drop(DropReason.BadFragment); break;
            default: break;
        }
    }

    private void OnLeaving(Instant now, Peer peer, ReadOnlySpan<byte> rest, ILinkEffects effects)
    {
        if (rest.Length != 0) { Drop(DropReason.Malformed); return; }
        SessionOf(peer).HasLeft = true;
        SetAllSilent(now, peer, PeerReason.Left, effects);
    }

    /// <summary>The session of a peer whose sealed datagram was just opened.</summary>
    private static Session SessionOf(Peer peer)
    {
        Invariant.Holds(peer.Session is not null, "LINKS-3");
        return peer.Session;
    }
}
