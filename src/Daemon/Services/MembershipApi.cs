using System.Globalization;
using Grpc.Core;
using Membership.Daemon.Access;
using Membership.Daemon.Ring;
using Membership.Daemon.Telemetry;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>MembershipService of proto/membership/v1/membership.proto: status, views, and the raw ordered ring.</summary>
/// <remarks>
/// Streams end with UNAVAILABLE when the daemon stops: the server sees to it. Multicast streams end by themselves before that, after their last receipt.
/// </remarks>
[BindServiceMethod(typeof(MembershipApiBinding), nameof(MembershipApiBinding.BindService))]
internal sealed class MembershipApi(
    RingHost host,
    DeliveryLog log,
    ViewHistory views,
    QuorumHistory verdicts,
    ReceiptTable receipts,
    StatusSource<RingSnapshot> status,
    StatusReport report,
    ProtoViews protoViews,
    int messageBytesMax,
    ulong boot,
    ClientCuts cuts,
    CancellationToken leaving) : Proto.MembershipService.MembershipServiceBase
{
    /// <summary>Multicast streams open at a time.</summary>
    public const int MulticastStreamsMax = 128;

    /// <summary>Subscribe and WatchViews streams open at a time.</summary>
    public const int WatchStreamsMax = 1024;

    private readonly string _boot = ProtoViews.Boot(boot);
    private readonly StreamGate _multicasts = new(MulticastStreamsMax, "messages are sent by");
    private readonly StreamGate _watches = new(WatchStreamsMax, "views and messages are watched by");

    /// <summary>Refuses new Multicast calls; ends when those under way have written their last receipt. To be called once <c>leaving</c> has fired and the ring thread has ended.</summary>
    public Task MulticastsEndAsync() => _multicasts.CloseAsync(ApiErrors.LeavingSentence);

    /// <summary>Streams of the raw ring for telemetry.</summary>
    public ClientsNow Clients => new(_multicasts.Count + _watches.Count, 0, _multicasts.Gone + _watches.Gone, _multicasts.Cut + _watches.Cut, cuts.Since);

    /// <summary>Multicast calls under way.</summary>
    public int MulticastCount => _multicasts.Count;

    /// <inheritdoc/>
    public override async Task<Proto.GetStatusResponse> GetStatus(Proto.GetStatusRequest request, ServerCallContext context)
    {
        try
        {
            var (snapshot, isFresh) = await status.GetAsync(context.CancellationToken);
            var response = report.Of(snapshot, isFresh, verdicts.Current, host.Clock.Now, host.Clock.Absolute(host.Clock.Now));
            response.Counters["watch_streams"] = _watches.Count;
            response.Counters["multicast_streams"] = _multicasts.Count;
            response.Counters["log_position"] = log.LastPosition;
            response.Counters["view_revision"] = (long)views.LastRevision;
            return response;
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
    }

    /// <inheritdoc/>
    public override async Task WatchViews(Proto.WatchViewsRequest request, IServerStreamWriter<Proto.WatchViewsResponse> responseStream, ServerCallContext context)
    {
        using var open = _watches.Enter();
        var cancellationToken = context.CancellationToken;
        var after = Revisions.Resume(request.AfterRevision, request.Boot, _boot, views, "views");
        // At once, also when there is nothing to tell yet: the client knows that it watches.
        if (after >= views.LastRevision) await responseStream.WriteAsync(new Proto.WatchViewsResponse { Boot = _boot }, cancellationToken);
        for (var revision = after + 1; ; revision++)
        {
            await views.WaitAsync(revision - 1, cancellationToken);
            var view = views.Find(revision) ?? throw Revisions.Gone(revision - 1, views, "views");
            await responseStream.WriteAsync(new Proto.WatchViewsResponse { View = protoViews.Of(view), Boot = _boot }, cancellationToken);
        }
    }

    /// <summary>Subscribe, with responses that are bytes already (see <see cref="EventEncoder"/>).</summary>
    public async Task Subscribe(Proto.SubscribeRequest request, IServerStreamWriter<EncodedResponse> responseStream, ServerCallContext context)
    {
        using var open = _watches.Enter();
        var cancellationToken = context.CancellationToken;
        var encoder = new EventEncoder(request.HeadersOnly);
        var isAfterRestart = request.AfterPosition != 0 && request.Boot.Length > 0 && request.Boot != _boot;
        var reader = isAfterRestart ? log.ReadFromNow() : Reader(request.AfterPosition, encoder);
        using var paced = log.Pace.Add(reader);
        var response = new EncodedResponse();
        encoder.Boot(boot);
        for (var isFirst = true; ; isFirst = false)
        {
            var isTooSlow = !isAfterRestart && Fill(encoder, reader, request.ViewsOnly);
            if (isTooSlow) cuts.Add(open, Caller.Of(context).Identity, "its stream of the raw ring", ClientCuts.Overtaken, "It can resume after the position it was told, beyond the gap");
            if (isAfterRestart || isTooSlow) encoder.Cut(reader.Position, host.Clock.Absolute(host.Clock.Now), isAfterRestart ? CutByRestart() : CutAt(log.OldestResumable()));
            if (isFirst || !encoder.IsEmpty)
            {
                response.Bytes = encoder.Response;
                await responseStream.WriteAsync(response, cancellationToken);
                encoder.Clear();
            }
            if (isAfterRestart || isTooSlow) return;
            if (!await reader.WaitAsync(cancellationToken)) throw ApiErrors.Stopped("the daemon has left the cluster and stops");
        }
    }

    /// <inheritdoc/>
    public override async Task Multicast(IAsyncStreamReader<Proto.MulticastRequest> requestStream, IServerStreamWriter<Proto.MulticastResponse> responseStream, ServerCallContext context)
    {
        using var open = _multicasts.Enter();
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, leaving);
        var window = new ReceiptWindow(receipts, new BatchSignal());
        var submitting = SubmitAllAsync(requestStream, window, abandoned.Token);
        var response = new Proto.MulticastResponse();
        var spare = new SpareReceipts();
        try
        {
            while (await window.WaitAsync(context.CancellationToken))
            {
                response.Receipts.Clear();
                if (window.Drain(response, spare)) await responseStream.WriteAsync(response, context.CancellationToken);
            }
        }
        catch
        {
            await abandoned.CancelAsync();
            await ((Task)submitting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);   // what ended the writing is what counts
            throw;
        }
        await submitting;
    }

    private static Proto.Cut CutByRestart() =>
        new() { Reason = "the daemon was restarted: its positions begin anew, and what came between is not known here. Begin with the current view." };

    private static Proto.Cut CutAt(long resume) =>
        new() { Resume = (ulong)resume, Reason = $"{ClientCuts.Overtaken} Events after position {resume} are still kept." };

    private async Task SubmitAllAsync(IAsyncStreamReader<Proto.MulticastRequest> requests, ReceiptWindow window, CancellationToken cancellationToken)
    {
        try
        {
            while (await requests.MoveNext(cancellationToken))
            {
                await SubmitAsync(requests.Current, window, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            throw ApiErrors.Leaving(ApiErrors.LeavingSentence);   // told after the receipts of everything that was taken
        }
        finally
        {
            window.Complete();
        }
    }

    // The ring thread is woken once a request: woken by the first message it would send that one alone, ahead of the others.
    private async ValueTask SubmitAsync(Proto.MulticastRequest request, ReceiptWindow window, CancellationToken cancellationToken)
    {
        var level = request.Level == Proto.DeliveryLevel.Safe ? DeliveryLevel.Safe : DeliveryLevel.Agreed;
        try
        {
            foreach (var payload in request.Payloads)
            {
                if (window.IsFull) host.WakeForSubmits();   // room only comes from what lies there
                var tag = await window.TakeAsync(cancellationToken);
                if (payload.Length > messageBytesMax) window.Refuse(tag, receipts.TooLarge, host.Clock.Absolute(host.Clock.Now));
                else
                {
                    await window.WaitForRoomAsync(host, tag, payload.Length, cancellationToken);
                    if (!host.TryQueue(payload.Memory, level, slot: 0, window, tag)) await SubmitAsync(payload.Memory, level, window, tag, cancellationToken);
                }
            }
        }
        finally
        {
            host.WakeForSubmits();
        }
    }

    private async ValueTask SubmitAsync(ReadOnlyMemory<byte> payload, DeliveryLevel level, ReceiptWindow window, ulong tag, CancellationToken cancellationToken)
    {
        try
        {
            await host.SubmitAsync(payload, level, slot: 0, window, tag, cancellationToken);
        }
        catch (RingStoppedException stopped)
        {
            window.Refuse(tag, stopped.Message, host.Clock.Absolute(host.Clock.Now));
        }
        catch (OperationCanceledException)
        {
            window.Refuse(tag, ReceiptTable.NotSent, host.Clock.Absolute(host.Clock.Now));
            throw;
        }
    }

    private DeliveryReader Reader(ulong after, EventEncoder encoder)
    {
        if (after == 0)
        {
            var reader = log.ReadFromNow();
            if (views.At(reader.Position) is { } current) encoder.View(reader.Position, current.Time, protoViews.Of(current));
            return reader;
        }
        if (after > (ulong)log.LastPosition)
        {
            throw ApiErrors.OutOfRange(
                "POSITION_AHEAD",
                $"position {after} has not been reached, the last is {log.LastPosition}: positions begin anew when the daemon restarts. Subscribe again with after_position 0.",
                ("last_position", log.LastPosition.ToString(CultureInfo.InvariantCulture)));
        }
        return log.ReadAfter((long)after, out var oldest) ?? throw ApiErrors.OutOfRange(
            "POSITION_GONE",
            $"events after position {after} are no longer kept; the oldest that can be resumed after is {oldest}. Subscribe again with after_position {oldest}, or with 0 for the current view.",
            ("oldest_position", oldest.ToString(CultureInfo.InvariantCulture)));
    }

    // True when the reader fell behind what is kept.
    private bool Fill(EventEncoder encoder, DeliveryReader reader, bool viewsOnly)
    {
        while (!encoder.IsFull)
        {
            var found = reader.Next(out var record, out var payload);
            if (found == ReadResult.Nothing) return false;
            if (found == ReadResult.Overwritten) return true;
            if (record.Kind == RecordKind.View)
            {
                if (views.Find(record.Counter) is not { } view) return true;
                encoder.View(record.Position, record.Time, protoViews.Of(view));
            }
            else if (!viewsOnly) encoder.Message(record, payload);
        }
        return false;
    }
}
