namespace Membership.Links;

/// <content>Who hears whom: heartbeats, reports, and the states that follow.</content>
public sealed partial class LinkLayer
{
    /// <summary>Share of link_down after which hellos, and heartbeats to the dead, are repeated: a healed cut is seen in half of link_down.</summary>
    private const double RetryPaceShare = 0.4;

    /// <summary>Hellos, and heartbeats to the dead, go no faster than this.</summary>
    private static readonly TimeSpan RetryPaceMin = TimeSpan.FromMilliseconds(100);

    /// <summary>Echoes held for longer measure nothing.</summary>
    private const uint EchoHeldMicrosecondsMax = 60_000_000;

    private readonly TimeSpan _pace;
    private readonly TimeSpan _retryPace;
    private NodeSet _neighbours;
    private NodeSet _reachable;

    /// <summary>Does what is due on one link to one peer, and arms what is next.</summary>
    private void Serve(Instant now, Peer peer, PeerLink link, ILinkEffects effects)
    {
        if (peer.Session is null or { HasLeft: true })
        {
            if (now >= link.NextBeat)
            {
                SendHello(now, peer, link, effects);
                link.NextBeat = now + _retryPace;
            }
            Arm(link.NextBeat);
            return;
        }
        WatchSilence(now, peer, link, effects);
        if (link.IsProbing) ProbeWhenDue(now, peer, link, effects);
        BeatWhenDue(now, peer, link, effects);
        SearchPathWhenDue(now, peer, link, effects);
    }

    private void BeatWhenDue(Instant now, Peer peer, PeerLink link, ILinkEffects effects)
    {
        if (now >= link.NextBeat)
        {
            var isNear = _neighbours.Contains(peer.Position);
            var isCovered = !link.HasNews && link.State == LinkState.Up && isNear && link.LastSent > link.LastBeat
                && now - link.LastSent < _pace && now - link.LastBeat < _options.LinkDown;
            if (isCovered) link.NextBeat = link.LastSent + _pace;
            else
            {
                // Without two-way contact the session may be one-sided: the peer may have restarted, or have lost our answer to its challenge.
                if (peer.State != PeerState.Reachable) SendHello(now, peer, link, effects);
                SendReport(now, peer, link, BodyKind.Heartbeat, echo: link.TheirStamp, effects);
                link.LastBeat = now;
                link.HasNews = false;
                link.NextBeat = now + (link.State == LinkState.Down || peer.State == PeerState.Dead ? _retryPace : isNear ? _pace : _options.FarHeartbeat);
            }
        }
        Arm(link.NextBeat);
    }

    private void OnReport(Instant now, Peer peer, PeerLink link, BodyKind kind, ReadOnlySpan<byte> rest, ILinkEffects effects)
    {
        if (rest.Length != Report.Bytes) { Drop(DropReason.Malformed); return; }
        var report = Report.Read(rest);
        if ((report.Row - _options.Nodes.All).Count != 0) { Drop(DropReason.Malformed); return; }
        Measure(now, link, report);
        link.TheirStamp = report.Stamp;
        link.TheirStampAt = now;
        link.PeerIsNear = report.IsNear;
        Arm(now + OddSilence(link));
        Heard(now, peer, link, IsAnswer(peer, kind, report), effects);
        if (kind == BodyKind.Probe) SendReport(now, peer, link, BodyKind.ProbeReply, report.Stamp, effects);
        TakeHeardLinks(now, peer, report.HeardLinks, effects);
        if (peer.Row == report.Row) return;
        peer.Row = report.Row;
        effects.PeerRow(peer.Node, SessionOf(peer).Boot, report.Row);
    }

    /// <summary>True when the report answers a probe that was sent since the hint.</summary>
    private static bool IsAnswer(Peer peer, BodyKind kind, in Report report) =>
        kind == BodyKind.ProbeReply && peer.HintAt is { } hintAt && unchecked((int)(report.Echo - Stamp(hintAt))) >= 0;

    private static void Measure(Instant now, PeerLink link, in Report report)
    {
        link.Loss.Record(now, report.Sequence);
        if (report.Echo == 0 || report.HeldMicroseconds > EchoHeldMicrosecondsMax) return;
        var microseconds = unchecked(Stamp(now) - report.Echo - report.HeldMicroseconds);
        if (microseconds > EchoHeldMicrosecondsMax) return;
        var sample = TimeSpan.FromMicroseconds(microseconds);
        link.RoundTrips.Add(sample);
        link.Rtt = link.Rtt is { } rtt ? rtt + ((sample - rtt) / 8) : sample;
    }

    private static uint Stamp(Instant now) => Math.Max(1, unchecked((uint)(now.Nanoseconds / 1000)));

    private void TakeHeardLinks(Instant now, Peer peer, byte heardLinks, ILinkEffects effects)
    {
        foreach (var link in peer.Links)
        {
            var heard = (heardLinks & (1 << link.Id.Index)) != 0;
            if (heard == link.HeardByPeer) continue;
            link.HeardByPeer = heard;
            UpdateLink(now, peer, link, heard ? PeerReason.Heard : PeerReason.NotHeardByPeer, effects);
        }
    }

    /// <summary>Any authentic datagram meant for us. Soon after a hint only the answer to a probe speaks for the process.</summary>
    private void Heard(Instant now, Peer peer, PeerLink link, bool isAnswer, ILinkEffects effects)
    {
        link.LastHeard = now;
        if (peer.HintAt is { } hintAt && (isAnswer || now - hintAt >= InFlight)) peer.HintAt = null;
        if (peer.HintAt is null)
        {
            if (link.IsProbing) EndProbes(link);
            peer.IsToldOf = false;
        }
        if (link.Hears) return;
        link.Hears = true;
        Arm(now + OddSilence(link));
        AskForBeats(now, peer);
        UpdateLink(now, peer, link, PeerReason.Heard, effects);
    }

    /// <summary>News for a peer leaves at once, but at most once per quarter of a pace.</summary>
    private void AskForBeats(Instant now, Peer peer)
    {
        foreach (var link in peer.Links)
        {
            link.BeatBy(Later(now, link.LastBeat + (_pace / 4)));
            Arm(link.NextBeat);
        }
    }

    private void SetAllSilent(Instant now, Peer peer, PeerReason reason, ILinkEffects effects)
    {
        foreach (var link in peer.Links)
        {
            EndProbes(link);
            link.Hears = link.HeardByPeer = false;
            link.BeatBy(now);
            SetLinkState(now, peer, link, effects);
        }
        peer.HintAt = null;
        UpdatePeer(now, peer, reason, effects);
        Arm(now);
    }

    private void UpdateLink(Instant now, Peer peer, PeerLink link, PeerReason reason, ILinkEffects effects)
    {
        SetLinkState(now, peer, link, effects);
        AskForBeats(now, peer);
        UpdatePeer(now, peer, reason, effects);
    }

    private void SetLinkState(Instant now, Peer peer, PeerLink link, ILinkEffects effects)
    {
        var state = (link.Hears, link.HeardByPeer) switch
        {
            (true, true) => LinkState.Up,
            (false, false) => LinkState.Down,
            _ => LinkState.OneWay,
        };
        if (state == link.State) return;
        link.State = state;
        if (state == LinkState.Up) link.Path.Start(now);
        else link.Path.Stop();
        Arm(link.Path.Next);
        effects.LinkChanged(peer.Node, link.Id, state);
    }

    private void UpdatePeer(Instant now, Peer peer, PeerReason reason, ILinkEffects effects)
    {
        var state = StateOf(peer);
        var boot = SessionOf(peer).Boot;
        var changed = state != peer.State;
        peer.State = state;
        if (state == PeerState.Dead) ForgetHeardLinks(now, peer, effects);
        Reroute(effects);
        if (!changed) return;
        effects.PeerChanged(peer.Node, boot, state, reason);
        var reachable = state == PeerState.Reachable ? _reachable | peer.Set : _reachable - peer.Set;
        if (reachable == _reachable) return;
        _reachable = reachable;
        foreach (var each in _peers)
            if (each.State == PeerState.Reachable) AskForBeats(now, each);
    }

    /// <summary>What the dead last reported is no evidence.</summary>
    private void ForgetHeardLinks(Instant now, Peer peer, ILinkEffects effects)
    {
        foreach (var link in peer.Links)
        {
            link.HeardByPeer = false;
            SetLinkState(now, peer, link, effects);
        }
    }

    private static PeerState StateOf(Peer peer)
    {
        if (!peer.HearsAny) return PeerState.Dead;
        foreach (var link in peer.Links)
            if (link.State == LinkState.Up) return PeerState.Reachable;
        return PeerState.OneWay;
    }

    private void SendReport(Instant now, Peer peer, PeerLink link, BodyKind kind, uint echo, ILinkEffects effects)
    {
        var target = new BodyTarget(peer.Node, SessionOf(peer).Boot.Short, link.Id);
        var held = (now - link.TheirStampAt).TotalMicroseconds;
        if (held > EchoHeldMicrosecondsMax) echo = 0;
        var report = new Report(
            ++link.Sequence, _neighbours.Contains(peer.Position), peer.HeardLinks, _reachable, Stamp(now), echo, echo == 0 ? 0 : (uint)held);
        var body = BeginSealed(now, link.Id, peer.Set, kind, BodyTarget.Bytes + Report.Bytes, effects, out var datagram);
        target.Write(body);
        report.Write(body[BodyTarget.Bytes..]);
        EndSealed(link.Id, datagram);
        _hasControl = true;
    }

    /// <summary>Peers with a session, whatever their state.</summary>
    private NodeSet Acquainted()
    {
        var set = NodeSet.Empty;
        foreach (var peer in _peers)
            if (peer.Session is { HasLeft: false }) set |= peer.Set;
        return set;
    }
}
