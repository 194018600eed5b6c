using System.Globalization;
using Grpc.Core;
using Membership.Cpg;
using Membership.Daemon.Ring;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>One client's watch of a group: where it begins, and the task that writes its events.</summary>
/// <remarks>Events are kept once for all in the <see cref="GroupLog"/>; a client that does not read loses its watch, with a position to resume after.</remarks>
internal sealed class GroupWatch : IStallable
{
    private readonly BatchSignal _signal = new();
    private readonly CutState _cut;
    private readonly GroupServices _services;
    private readonly Proto.WatchGroupRequest _request;
    private readonly GroupReader _reader;
    private readonly GroupEncoder _encoder;
    private Subscription? _subscription;
    private long _writingSince;

    /// <param name="services">What all clients share.</param>
    /// <param name="request">What is watched, and from where on.</param>
    public GroupWatch(GroupServices services, Proto.WatchGroupRequest request)
    {
        (_services, _request) = (services, request);
        _cut = new CutState(_signal);
        _reader = new GroupReader(services.Log, _signal);
        _encoder = new GroupEncoder(services.Log, hashesOnly: !request.Payloads);
    }

    /// <summary>Ends when the client is cut off.</summary>
    public Task Cut => _cut.Task;

    /// <summary>Why it was cut off; null while it is not.</summary>
    public string? CutReason => _cut.Reason;

    /// <summary>Where it is in the log.</summary>
    public IPacedReader Place => _reader;

    /// <inheritdoc/>
    public long UnreadBytes => _reader.UnreadBytes;

    /// <inheritdoc/>
    public void CheckStall()
    {
        var writing = Volatile.Read(ref _writingSince);
        if (writing != 0 && _services.Time.GetElapsedTime(writing) >= GroupSession.StallMax) _cut.CutOff(ClientCuts.Stalled("did not read what was sent to it", GroupSession.StallMax));
    }

    /// <summary>Takes its place in the order.</summary>
    /// <exception cref="RpcException">It cannot begin where it was asked to, or the node has stopped.</exception>
    public async Task BeginAsync()
    {
        var boot = ProtoViews.Boot(_services.Boot);
        var isNow = _request.AfterPosition == 0;
        var isElsewhere = !isNow && _request.Boot.Length > 0 && _request.Boot != boot;
        Beginning begun;
        try
        {
            begun = await _services.Host.ActAsync(loop => Begin(loop, isElsewhere), CancellationToken.None);   // at once; whatever becomes of the call, what is begun is ended
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
        if (_subscription is null) throw GroupResumption.Refusal(_services.Log, _request, boot, begun.LastPosition, begun.RecordedAfter);
        _encoder.Boot(_services.Boot);
        if (!isNow) return;
        var now = new Proto.GroupMembership { Group = _request.Group, Members = { begun.Members.Select(ProtoGroups.Member) } };
        if (begun.View is { } view) now.View = new Proto.View { Id = view.Id.ToString(), Number = view.Number };
        _subscription.IsNamed = true;
        _encoder.Add(new Proto.GroupEvent { Position = (ulong)begun.LastPosition, TNs = _services.Now, Membership = now });
    }

    /// <summary>Gives its place up. Ring thread.</summary>
    public void End(RingLoop loop)
    {
        _services.Hub.Unwatch(_subscription!);   // it has begun
        loop.View.Node.UnwatchGroup(_request.Group);
    }

    /// <summary>Writes events until the client is cut off.</summary>
    /// <exception cref="RpcException">The daemon has left the cluster.</exception>
    public async Task WriteAllAsync(IServerStreamWriter<EncodedResponse> stream, CancellationToken cancellationToken)
    {
        var response = new EncodedResponse();
        for (var isFirst = true; ; isFirst = false)
        {
            var armed = _signal.Arm();
            var isLast = Fill();
            if (isFirst || !_encoder.IsEmpty)
            {
                _encoder.AppendHashes();
                response.Bytes = _encoder.Response;
                Volatile.Write(ref _writingSince, _services.Time.GetTimestamp());
                await stream.WriteAsync(response, cancellationToken);
                Volatile.Write(ref _writingSince, 0);
                _encoder.Clear();
            }
            else if (_services.Log.HasEnded) throw ApiErrors.Stopped("the daemon has left the cluster and stops");
            else await armed.WaitAsync(cancellationToken);
            if (isLast) return;
        }
    }

    // Ring thread.
    private Beginning Begin(RingLoop loop, bool isElsewhere)
    {
        var (hub, node, after) = (_services.Hub, loop.View.Node, _request.AfterPosition);
        if (after == 0) _subscription = hub.Watch(_reader, _request.Group);
        else if (!isElsewhere && after < (ulong)_services.Log.NextPosition) _subscription = hub.WatchAfter(_reader, _request.Group, (long)after);
        if (_subscription is not null) node.WatchGroup(_request.Group);
        return new Beginning(_services.Log.NextPosition - 1, hub.RecordedAfter(_request.Group), node.Groups.MembersOf(_request.Group), node.View);
    }

    // True when the response is the last one.
    private bool Fill()
    {
        if (CutReason is null) AddEvents();
        if (CutReason is not { } reason) return false;
        var (resume, missed) = GroupResumption.AfterCut(_services.Log, _reader);
        var told = string.Create(CultureInfo.InvariantCulture, $"{reason} {missed} Watch again with after_position {resume}.");
        _encoder.Add(new Proto.GroupEvent { TNs = _services.Now, Cut = new Proto.Cut { Resume = (ulong)resume, Reason = told } });
        return true;
    }

    private void AddEvents()
    {
        _reader.Refresh();
        while (!_encoder.IsFull)
        {
            var found = _reader.Next(out var record, out var offset, out var subscription);
            if (found == ReadResult.Nothing) return;
            if (found == ReadResult.Event && _encoder.TryAdd(_reader, record, offset, subscription)) continue;
            _cut.CutOff(ClientCuts.Overtaken);
            return;
        }
    }

    private sealed record Beginning(long LastPosition, long? RecordedAfter, IReadOnlyList<GroupMember> Members, View? View);
}
