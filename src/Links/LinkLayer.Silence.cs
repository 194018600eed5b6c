namespace Membership.Links;

/// <content>Silence, hints and suspicion: probes, and the verdicts they lead to.</content>
public sealed partial class LinkLayer
{
    /// <summary>Probes of one burst.</summary>
    private const int BurstProbes = 5;

    /// <summary>Unanswered probes without which silence is no verdict.</summary>
    private const int ProbesForVerdict = 3;

    /// <summary>Unanswered probes after which the others are told.</summary>
    private const int ProbesBeforeTelling = 2;

    private static readonly TimeSpan BurstPace = TimeSpan.FromMilliseconds(20);

    /// <summary>After a hint, no answer for this long means the process is gone (longer where a round trip takes longer).</summary>
    private static readonly TimeSpan HintVerdict = TimeSpan.FromMilliseconds(100);

    /// <summary>What arrives this soon after a hint may have been under way when the process died; only a probe's answer counts then.</summary>
    private static readonly TimeSpan InFlight = TimeSpan.FromMilliseconds(20);

    /// <summary>Silence before this instant is no evidence: this node slept.</summary>
    private Instant _evidenceFrom;

    /// <summary>When the others were last told of a suspicion from above.</summary>
    private Instant? _toldAll;

    /// <summary>How long a peer may be silent on a link before that is odd: one report may be lost without a stir at the far pace.</summary>
    private TimeSpan OddSilence(PeerLink link) => link.PeerIsNear ? _pace * 3 / 2 : _options.FarHeartbeat * 2;

    private static Instant Later(Instant one, Instant other) => one > other ? one : other;

    /// <summary>Since when silence on a link counts as evidence.</summary>
    private Instant HeardOrVoid(PeerLink link) => Later(link.LastHeard ?? _evidenceFrom, _evidenceFrom);

    /// <summary>Silence: odd at first (probe), then told to the others, then a verdict.</summary>
    private void WatchSilence(Instant now, Peer peer, PeerLink link, ILinkEffects effects)
    {
        if (!link.Hears) return;
        var odd = HeardOrVoid(link) + OddSilence(link);
        if (!link.IsProbing)
        {
            if (now < odd) { Arm(odd); return; }
            BeginProbes(now, peer, link, link.PeerIsNear ? HeardOrVoid(link) : now, isBurst: true);
        }
        if (link.Unanswered >= ProbesBeforeTelling && !peer.IsToldOf && IsQuietEverywhere(now, peer)) Tell(now, peer, effects);
        var verdict = Later(Later(link.SilentSince, HeardOrVoid(link)) + _options.LinkDown, link.LastProbe + BurstPace);
        if (link.Unanswered < ProbesForVerdict) return;
        if (now < verdict) { Arm(verdict); return; }
        EndProbes(link);
        link.Hears = false;
        link.BeatBy(now);
        UpdateLink(now, peer, link, PeerReason.Silent, effects);
    }

    private bool IsQuietEverywhere(Instant now, Peer peer)
    {
        foreach (var link in peer.Links)
            if (link.Hears && now - HeardOrVoid(link) <= _pace) return false;
        return true;
    }

    /// <summary>Starts a series of probes, or a fresh burst within the present one.</summary>
    private void BeginProbes(Instant now, Peer peer, PeerLink link, Instant silentSince, bool isBurst)
    {
        if (peer.Session is null or { HasLeft: true }) return;
        if (!link.IsProbing)
        {
            link.IsProbing = true;
            link.Unanswered = 0;
            link.SilentSince = silentSince;
            link.NextProbe = Later(now, link.LastProbe + BurstPace);
            link.BurstLeft = BurstProbes;
        }
        else if (isBurst && link.BurstLeft == 0)
        {
            link.BurstLeft = BurstProbes;
            link.NextProbe = Later(now, link.LastProbe + BurstPace);
        }
        if (silentSince < link.SilentSince) link.SilentSince = silentSince;
        Arm(link.NextProbe);
    }

    private static void EndProbes(PeerLink link)
    {
        link.IsProbing = false;
        link.Unanswered = link.BurstLeft = 0;
    }

    private void ProbeWhenDue(Instant now, Peer peer, PeerLink link, ILinkEffects effects)
    {
        if (now >= link.NextProbe)
        {
            if (link.BurstLeft == 0 && !link.Hears)
            {
                EndProbes(link); // a link that was down anyway took part in the burst, no more
                return;
            }
            SendReport(now, peer, link, BodyKind.Probe, echo: link.TheirStamp, effects);
            link.Unanswered++;
            link.LastProbe = now;
            if (link.BurstLeft > 0) link.BurstLeft--;
            link.NextProbe = now + (link.BurstLeft > 0 || _pace / 2 < BurstPace ? BurstPace : _pace / 2);
        }
        Arm(link.NextProbe);
    }

    private static Instant HintDeadline(Peer peer, Instant hintAt)
    {
        var roundTrips = (peer.RttMax * 2) + BurstPace;
        return hintAt + (roundTrips > HintVerdict ? roundTrips : HintVerdict);
    }

    private void JudgeHint(Instant now, Peer peer, ILinkEffects effects)
    {
        if (peer.HintAt is not { } hintAt) return;
        var deadline = HintDeadline(peer, hintAt);
        if (now < deadline) { Arm(deadline); return; }
        peer.HintAt = null;
        SetAllSilent(now, peer, PeerReason.ProcessGone, effects);
    }

    /// <summary>Tells the reachable peers that one is suspected, so that all of them probe it at the same time.</summary>
    private void Tell(Instant now, Peer suspect, ILinkEffects effects)
    {
        if (suspect.IsToldOf || now < suspect.ToldAt + HintVerdict) return;
        suspect.IsToldOf = true;
        suspect.ToldAt = now;
        var silence = TimeSpan.MaxValue;
        foreach (var link in suspect.Links)
        {
            if (!link.Hears) continue;
            var since = now - Later(link.SilentSince, HeardOrVoid(link));
            if (since < silence) silence = since;
        }
        SendSuspicion(now, suspect.Set, _reachable.Without(_self) - suspect.Set, silence, effects);

        // It may be this node that is cut off: then nobody hears what it tells, and the quiet ones must be asked from here.
        if (silence != TimeSpan.MaxValue) ProbeQuietPeers(now, Later(now + -silence, _evidenceFrom));
    }

    private void SendSuspicion(Instant now, NodeSet suspects, NodeSet listeners, TimeSpan silence, ILinkEffects effects)
    {
        Span<byte> body = stackalloc byte[SuspicionBody.Bytes];
        new SuspicionBody(suspects, silence).Write(body);
        Span<ulong> perLink = stackalloc ulong[LinkId.Max];
        perLink.Clear();
        SplitByLink(listeners, perLink);
        foreach (var link in _linkOrder) SendToSet(now, link, new NodeSet(perLink[link.Index]), BodyKind.Suspicion, body, effects);
        _hasControl = true;
    }

    private void OnPeerSuspicion(Instant now, Peer peer, PeerLink link, ReadOnlySpan<byte> rest, ILinkEffects effects)
    {
        if (rest.Length != SuspicionBody.Bytes) { Drop(DropReason.Malformed); return; }
        Heard(now, peer, link, isAnswer: false, effects);
        var body = SuspicionBody.Read(rest);
        var silentSince = Later(now + -body.Silence, _evidenceFrom);
        foreach (var position in body.Suspects & _options.Nodes.All.Without(_self).Without(peer.Position))
            if (_table[position] is { HearsAny: true } suspect)
                foreach (var each in suspect.Links) BeginProbes(now, suspect, each, SilenceBase(each, silentSince), isBurst: true);
        ProbeQuietPeers(now, silentSince);
    }

    private void ProbeQuietPeers(Instant now, Instant silentSince)
    {
        foreach (var peer in _peers)
            foreach (var link in peer.Links)
                if (link.Hears && now - HeardOrVoid(link) > _pace) BeginProbes(now, peer, link, SilenceBase(link, silentSince), isBurst: false);
    }

    /// <summary>A peer at the near pace is silent since it was heard; one at the far pace since somebody noticed.</summary>
    private Instant SilenceBase(PeerLink link, Instant noticed) => link.PeerIsNear ? HeardOrVoid(link) : Later(HeardOrVoid(link), noticed);
}
