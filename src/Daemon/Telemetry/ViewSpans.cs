using System.Diagnostics;
using System.Threading.Channels;
using Membership.Daemon.Ring;
using Membership.Daemon.Services;
using Membership.Links;
using Membership.Node;
using Membership.Totem;

namespace Membership.Daemon.Telemetry;

/// <summary>One span for each installation of a view, with gather, commit and recovery as its events.</summary>
internal sealed class ViewSpans(ActivitySource source, MonotonicClock clock, TimeProvider time)
{
    /// <summary>Name of the span.</summary>
    public const string SpanName = "membership.view.install";

    /// <summary>Events waiting; more are left out, and a span may then lack some of its events.</summary>
    public const int QueueMax = 1024;

    private readonly Channel<RingEvent> _events = Channel.CreateBounded<RingEvent>(new BoundedChannelOptions(QueueMax)
    {
        SingleReader = true,
        AllowSynchronousContinuations = false,
        FullMode = BoundedChannelFullMode.Wait,   // TryWrite refuses
    });
    private readonly List<ActivityEvent> _steps = [];
    private Instant? _since;

    /// <summary>Takes an event. Ring thread, never waits.</summary>
    public void Add(RingEvent happened)
    {
        if (happened is RingEvent.View { Value.Transitional: false } or RingEvent.OfNode { Fact: NodeFact.Ring { Fact: TotemFact.Gathering or TotemFact.StateChanged } })
            _events.Writer.TryWrite(happened);
    }

    /// <summary>Writes spans until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await _events.Reader.WaitToReadAsync(cancellationToken))
            {
                while (_events.Reader.TryRead(out var happened)) Take(happened);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private void Take(RingEvent happened)
    {
        switch (happened)
        {
            case RingEvent.OfNode { Fact: NodeFact.Ring { Fact: TotemFact.Gathering gathering } }:
                _since ??= happened.Now;
                Step("gather", happened.Now, new("membership.gather.reason", gathering.Reason.ToString()));
                break;
            case RingEvent.OfNode { Fact: NodeFact.Ring { Fact: TotemFact.StateChanged { To: TotemState.Commit or TotemState.Recovery } changed } }:
                Step(changed.To.ToString().ToLowerInvariant(), happened.Now, new("membership.ring.id", changed.Ring.ToString()));
                break;
            case RingEvent.View installed:
                Write(installed);
                break;
        }
    }

    private void Step(string name, Instant at, KeyValuePair<string, object?> tag)
    {
        if (_steps.Count < QueueMax) _steps.Add(new ActivityEvent(name, Wall(at), new ActivityTagsCollection([tag])));
    }

    private void Write(RingEvent.View installed)
    {
        using (var span = source.CreateActivity(SpanName, ActivityKind.Internal))
        {
            if (span is not null)
            {
                span.SetStartTime(Wall(_since ?? installed.Now).UtcDateTime);
                span.SetTag("membership.view.id", installed.Value.Id.ToString());
                span.SetTag("membership.view.members", string.Join(',', installed.Value.Members.Select(static member => member.Node.Value)));
                span.Start();
                foreach (var step in _steps) span.AddEvent(step);
                span.SetEndTime(Wall(installed.Now).UtcDateTime);
            }
        }
        _steps.Clear();
        _since = null;
    }

    private DateTimeOffset Wall(Instant at) => time.GetUtcNow() - (clock.Now - at);
}
