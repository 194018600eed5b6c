using Membership.Cpg;
using Membership.Daemon.Ring;
using Membership.Daemon.Telemetry;
using Membership.Daemon.Witness.Client;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>Hands what the node reports to those who keep it: the delivery log, the view history, the receipts, the node states and the log lines. Ring thread.</summary>
internal sealed class RingObserver(
    NodeId self, ulong boot, RingRecords kept, Action<RingEvent> logLine, WitnessFeed? witness = null) : IRingObserver
{
    /// <summary>What this observer counts for telemetry.</summary>
    public RingMetrics Metrics { get; } = new(self);

    private MonotonicClock? _clock;
    private bool _viewInstalled;
    private bool _verdictChanged;

    /// <summary>Tells the clock of the host, which only exists once the ring thread does.</summary>
    public void Attach(MonotonicClock clock) => Volatile.Write(ref _clock, clock);

    /// <inheritdoc/>
    public void Deliver(in Delivery delivery, ReadOnlySpan<byte> payload, Instant now)
    {
        var time = Absolute(now);
        kept.Deliveries.Append(delivery, payload, time);
        var isOwn = delivery.Sender == self && delivery.SenderBoot == boot;
        if (isOwn) kept.Receipts.Delivered(delivery, time);
        Metrics.Delivered(delivery, isOwn, now);
    }

    /// <inheritdoc/>
    public void Accepted(ulong counter, Instant now) => Metrics.Accepted(counter, now);

    /// <inheritdoc/>
    public void TokenVisited(TimeSpan duration, TotemCounters counters) => Metrics.TokenVisit(duration, counters.Rotations, counters.RotationNanoseconds);

    /// <inheritdoc/>
    public void InstallView(View view, Instant now)
    {
        var time = Absolute(now);
        var installed = kept.Views.Add(view, kept.Deliveries.NextPosition, time);
        kept.Deliveries.AppendView(installed.Revision, time);
        if (!view.Transitional) kept.States.ViewInstalled(view, now);
        witness?.InstallView(view);
        _viewInstalled = true;
        Metrics.ViewInstalled(view, now);
        logLine(new RingEvent.View(view, now));
    }

    /// <inheritdoc/>
    public void QuorumChanged(QuorumState state, Instant now)
    {
        kept.Verdicts.Add(state, Absolute(now), Absolute(default));
        _verdictChanged = true;
        witness?.QuorumChanged(state);
        logLine(new RingEvent.Quorum(state, now));
    }

    /// <inheritdoc/>
    public void QuorumChangeDone(ulong tag, string? error) => kept.Changes.Done(tag, error);

    /// <inheritdoc/>
    public void GroupChanged(GroupChange change, Instant now)
    {
        kept.Groups.Changed(change, Absolute(now));
        Metrics.GroupChanged(change);
    }

    /// <inheritdoc/>
    public void GroupMessage(in GroupDelivery message, ReadOnlySpan<byte> payload, Instant now)
    {
        var time = Absolute(now);
        kept.Groups.Message(message, payload, time);
        var isOwn = message.Order.Sender == self && message.Order.SenderBoot == boot;
        if (isOwn) kept.Receipts.Delivered(message.Order, time);
        Metrics.Delivered(message.Order, isOwn, now);
    }

    /// <inheritdoc/>
    public void GroupDropped(ulong counter, Instant now) => kept.Receipts.DroppedHere(counter, Absolute(now));

    /// <inheritdoc/>
    public void Failed(ulong counter, Instant now) => kept.Receipts.Failed(counter, Absolute(now));

    /// <inheritdoc/>
    public void Fact(NodeFact fact, Instant now)
    {
        if (fact is NodeFact.Peer peer) kept.States.PeerChanged(peer.Node, peer.State, now);
        Metrics.Fact(fact, now);
        logLine(new RingEvent.OfNode(fact, now));
    }

    /// <inheritdoc/>
    public void HostFact(RingHostFact fact, Instant now) => logLine(new RingEvent.OfHost(fact, now));

    /// <inheritdoc/>
    public void BatchEnd(Instant now)
    {
        kept.Receipts.Now = Absolute(now);
        kept.Groups.BatchEnd();     // first: a session that is woken for its receipts finds its events too
        kept.Receipts.BatchEnd();
        kept.Deliveries.Publish();
        if (_viewInstalled) kept.Views.Publish();
        if (_verdictChanged) kept.Verdicts.Publish();
        (_viewInstalled, _verdictChanged) = (false, false);
    }

    /// <inheritdoc/>
    public TimeSpan StandBack(Instant now, TimeSpan max)
    {
        var time = max * Math.Max(kept.Groups.Pressure(now), kept.Deliveries.Pace.Pressure(now));
        Metrics.StoodBack(time);
        return time;
    }

    /// <inheritdoc/>
    public void Left(Instant now)
    {
        kept.Receipts.Left(Absolute(now));
        BatchEnd(now);
        kept.Deliveries.End();
        kept.Groups.End();
    }

    private long Absolute(Instant now)
    {
        if (_clock is null) SpinWait.SpinUntil(() => Volatile.Read(ref _clock) is not null);   // once, for the moment until Start has returned
        return _clock!.Absolute(now);   // set, as just seen
    }
}

/// <summary>Something for the log, with its time.</summary>
internal abstract record RingEvent(Instant Now)
{
    /// <summary>A view was installed.</summary>
    public sealed record View(Totem.View Value, Instant Now) : RingEvent(Now);

    /// <summary>A verdict about quorum.</summary>
    public sealed record Quorum(QuorumState State, Instant Now) : RingEvent(Now);

    /// <summary>Reported by the node.</summary>
    public sealed record OfNode(NodeFact Fact, Instant Now) : RingEvent(Now);

    /// <summary>Reported by the host.</summary>
    public sealed record OfHost(RingHostFact Fact, Instant Now) : RingEvent(Now);
}
