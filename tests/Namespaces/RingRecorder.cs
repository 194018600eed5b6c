using Grpc.Core;
using Membership.V1;

namespace Membership.Namespaces;

/// <summary>One event of a daemon's ordered stream, with what the stream leaves out because it is as in the event before.</summary>
/// <param name="Event">As received.</param>
/// <param name="RingId">Ring that ordered the message; empty for a view.</param>
/// <param name="Boot">Boot of the message's sender; empty for a view.</param>
/// <param name="ViewId">The view in force: for a view itself, for a message the one it was delivered in.</param>
public sealed record RecordedEvent(RingEvent Event, string RingId, string Boot, string ViewId);

/// <summary>Everything one run of a daemon delivers, from the view in force at the start of the recording.</summary>
public sealed class RingRecorder : IAsyncDisposable
{
    private readonly List<RecordedEvent> _events = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private bool _isDisposed;

    internal RingRecorder(ClusterNode node, bool viewsOnly)
    {
        Node = node.Id;
        _reading = Task.Run(() => ReadAsync(node.Api, viewsOnly));
    }

    /// <summary>Whose stream it is.</summary>
    public int Node { get; }

    /// <summary>Null while the stream is open; then how it ended.</summary>
    public string? Ended { get; private set; }

    /// <summary>Everything so far.</summary>
    public IReadOnlyList<RecordedEvent> Events
    {
        get
        {
            lock (_events) return [.. _events];
        }
    }

    /// <summary>All views so far, transitional ones included.</summary>
    public IReadOnlyList<View> Views =>
        [.. Events.Where(item => item.Event.EventCase == RingEvent.EventOneofCase.View).Select(item => item.Event.View)];

    /// <summary>Regular views so far.</summary>
    public IReadOnlyList<View> RegularViews => [.. Views.Where(view => !view.Transitional)];

    /// <summary>All messages so far.</summary>
    public IReadOnlyList<RecordedEvent> Messages => [.. Events.Where(item => item.Event.EventCase == RingEvent.EventOneofCase.Message)];

    /// <summary>Number of messages so far; cheaper than <see cref="Messages"/>.</summary>
    public int MessageCount { get; private set; }

    /// <summary>Ends the recording; what was recorded can still be read. Repeated calls do nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        await _stop.CancelAsync();
        await _reading;
        _stop.Dispose();
    }

    private async Task ReadAsync(NodeApi api, bool viewsOnly)
    {
        string ring = "", boot = "", view = "";
        var boots = new Dictionary<uint, string>();
        try
        {
            using var call = api.Ring.Subscribe(new SubscribeRequest { HeadersOnly = true, ViewsOnly = viewsOnly }, cancellationToken: _stop.Token);
            while (await call.ResponseStream.MoveNext(_stop.Token))
            {
                lock (_events)
                {
                    foreach (var item in call.ResponseStream.Current.Events)
                    {
                        switch (item.EventCase)
                        {
                            case RingEvent.EventOneofCase.View:
                                view = item.View.Id;
                                _events.Add(new RecordedEvent(item, "", "", view));
                                break;
                            case RingEvent.EventOneofCase.Message:
                                if (item.Message.RingId.Length > 0 && item.Message.RingId != ring)
                                {
                                    ring = item.Message.RingId;
                                    boots.Clear();
                                }

                                if (item.Message.Boot.Length > 0) boots[item.Message.Sender] = item.Message.Boot;
                                boot = boots.GetValueOrDefault(item.Message.Sender, "");
                                _events.Add(new RecordedEvent(item, ring, boot, view));
                                MessageCount++;
                                break;
                            case RingEvent.EventOneofCase.Cut:
                                Ended = $"cut off: {item.Cut.Reason}";
                                return;
                            default:
                                throw new InvalidDataException("an event of no known kind");
                        }
                    }
                }
            }

            Ended = "the daemon ended the stream";
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled)
        {
            Ended = e.Status.Detail;
        }
        catch (OperationCanceledException)
        {
            Ended = "the recording was stopped";
        }
    }
}
