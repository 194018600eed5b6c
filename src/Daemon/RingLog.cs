using System.Threading.Channels;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Links;
using Membership.Node;
using Membership.Quorum;
using Membership.Totem;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon;

/// <summary>Turns what the ring reports into log lines on a task of its own, so that the ring thread never waits for a terminal or disk.</summary>
/// <remarks>Whoever floods this daemon cannot flood its log: repeats are folded, and lines that peers or strangers can provoke are limited (<see cref="LineFolding"/>).</remarks>
internal sealed class RingLog(ILogger logger, string self, NodeTable nodes, TimeProvider time)
{
    /// <summary>Events waiting to be written; more are counted and left out.</summary>
    public const int QueueMax = 4096;

    private static readonly TimeSpan FlushPace = TimeSpan.FromSeconds(1);

    private readonly LineFolding _folding = new(time);
    private readonly Channel<RingEvent> _events = Channel.CreateBounded<RingEvent>(new BoundedChannelOptions(QueueMax)
    {
        SingleReader = true,
        AllowSynchronousContinuations = false,
        FullMode = BoundedChannelFullMode.Wait,   // TryWrite refuses: the event is counted as left out
    });
    private readonly Dictionary<(NodeId, LinkId), (NodeFact Fact, long Since)> _oneWay = [];
    private long _lost;
    private bool? _isQuorate;

    /// <summary>Takes an event. Any thread, never waits.</summary>
    public void Add(RingEvent happened)
    {
        if (!_events.Writer.TryWrite(happened)) Interlocked.Increment(ref _lost);
    }

    /// <summary>No event follows; <see cref="RunAsync"/> ends after the last.</summary>
    public void Complete() => _events.Writer.TryComplete();

    /// <summary>Writes until <see cref="Complete"/>.</summary>
    public async Task RunAsync()
    {
        using var pace = new PeriodicTimer(FlushPace, time);
        var tick = pace.WaitForNextTickAsync().AsTask();
        var more = _events.Reader.WaitToReadAsync().AsTask();
        while (true)
        {
            await Task.WhenAny(tick, more);
            if (more.IsCompleted)
            {
                while (_events.Reader.TryRead(out var happened)) Write(happened);
                if (!await more) break;
                more = _events.Reader.WaitToReadAsync().AsTask();
            }
            if (!tick.IsCompleted) continue;
            WriteSettled();
            WriteFolded(_folding.Due());
            tick = pace.WaitForNextTickAsync().AsTask();
        }
        WriteFolded(_folding.All());
    }

    private void WriteFolded(IEnumerable<LineFolding.Folded> lines)
    {
        foreach (var line in lines) Log.Repeated(logger, self, line.What, line.Count, line.Seconds);
        var lost = _folding.TakeLost() + Interlocked.Exchange(ref _lost, 0);
        if (lost > 0) Log.LinesLeftOut(logger, self, lost, LineFolding.LinesPerSecondMax);
    }

    private void Write(RingEvent happened)
    {
        switch (happened)
        {
            case RingEvent.View view: Log.View(logger, self, Describe.Of(view.Value)); break;
            case RingEvent.Quorum quorum: Write(quorum.State); break;
            case RingEvent.OfNode node: Write(node.Fact); break;
            case RingEvent.OfHost host: Write(host.Fact); break;
        }
    }

    private void Write(QuorumState state)
    {
        if (state.IsQuorate == _isQuorate) return;   // another view or reason is in the view's line and in status
        _isQuorate = state.IsQuorate;
        if (state.IsQuorate) Log.Quorate(logger, self, state.Reason);
        else Log.NotQuorate(logger, self, state.Reason);
    }

    // Every handshake passes through one-way for a moment: only a link that stays so for a second is worth a line.
    private void WriteSettled()
    {
        foreach (var (link, (fact, since)) in _oneWay.ToArray())
        {
            if (time.GetElapsedTime(since) < FlushPace) continue;
            _oneWay.Remove(link);
            WriteNow(fact);
        }
    }

    private void Write(NodeFact fact)
    {
        if (fact is NodeFact.Link link)
        {
            if (link.State == LinkState.OneWay)
            {
                _oneWay[(link.Node, link.LinkId)] = (fact, time.GetTimestamp());
                return;
            }
            _oneWay.Remove((link.Node, link.LinkId));
        }
        WriteNow(fact);
    }

    private void WriteNow(NodeFact fact)
    {
        var write = Writer(fact);
        var what = Printable.Text(Describe.Of(fact, nodes), 500);
        if (write == (Action<ILogger, string, string>)Log.RingStep || _folding.Admit(what)) write(logger, self, what);
    }

    private static Action<ILogger, string, string> Writer(NodeFact fact) => fact switch
    {
        NodeFact.Ring { Fact: TotemFact.Gathering { Reason: GatherReason.TokenLost } } => Log.TokenLost,
        NodeFact.Ring { Fact: TotemFact.Gathering } => Log.Gathering,
        NodeFact.Ring { Fact: TotemFact.Malformed } => Log.Malformed,
        NodeFact.Ring { Fact: TotemFact.HeldOut } => Log.HeldOut,
        NodeFact.Ring { Fact: TotemFact.Stalled } => Log.Stalled,
        NodeFact.Ring { Fact: TotemFact.FailedToReceive } => Log.FailedToReceive,
        NodeFact.Peer { State: PeerState.Reachable } or NodeFact.Peer { Reason: PeerReason.Left or PeerReason.Restarted } => Log.PeerUp,
        NodeFact.Peer { State: PeerState.OneWay, Reason: PeerReason.Handshake } => Log.RingStep,
        NodeFact.Peer => Log.PeerDown,
        NodeFact.Link { State: LinkState.Up } => Log.LinkUp,
        NodeFact.Link => Log.LinkDown,
        NodeFact.Incompatible => Log.Incompatible,
        _ => Log.RingStep,
    };

    private void Write(RingHostFact fact)
    {
        switch (fact)
        {
            case RingHostFact.LinkNotBound f: Log.LinkNotBound(logger, self, f.Link.ToString(), f.Address, f.What, f.Errno); break;
            case RingHostFact.LinkBound f: Log.LinkBound(logger, self, f.Link.ToString(), f.Address); break;
            case RingHostFact.SmallSocketBuffer f: Log.SmallSocketBuffer(logger, self, f.Link.ToString(), f.GotBytes, f.AskedBytes); break;
            case RingHostFact.NoSegmentation f: Log.NoSegmentation(logger, self, f.Link.ToString(), f.Errno); break;
            case RingHostFact.NoTripwires f: Log.NoTripwires(logger, self, f.Link.ToString(), f.Address, f.Errno); break;
            case RingHostFact.Priority { Errno: 0 } f: Log.RingPriority(logger, self, f.Nice); break;
            case RingHostFact.Priority f: Log.NoRingPriority(logger, self, f.Nice, f.Errno); break;
            case RingHostFact.FaultsInjected f: Log.FaultsInjected(logger, self, f.Rules.Count == 0 ? "none" : string.Join("; ", f.Rules.Select(Text))); break;
            case RingHostFact.Frozen f: Log.Frozen(logger, self, (long)f.For.TotalMilliseconds); break;
        }
    }

    private static string Text(FaultRule rule) =>
        $"{rule.Direction.ToString().ToLowerInvariant()} peer {rule.Peer?.ToString() ?? "all"} link {rule.Link?.ToString() ?? "all"} loss {rule.Loss.ToString(System.Globalization.CultureInfo.InvariantCulture)}";
}
