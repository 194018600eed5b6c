using System.Globalization;
using Grpc.Core;
using Membership.Cpg;
using Membership.Daemon.Access;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Telemetry;
using Membership.Grpc.Errors;
using Membership.Grpc.Server;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>GroupService of proto/membership/v1/group.proto: sessions of closed process groups, and a look at them from outside.</summary>
/// <remarks>Streams end with UNAVAILABLE when the daemon stops; sessions do so by themselves, after their last receipt.</remarks>
[BindServiceMethod(typeof(GroupApiBinding), nameof(GroupApiBinding.BindService))]
internal sealed class GroupApi(GroupServices services, CancellationToken leaving) : Proto.GroupService.GroupServiceBase
{
    /// <summary>Sessions open at a time.</summary>
    public const int SessionsMax = 1024;

    /// <summary>Watches open at a time.</summary>
    public const int WatchesMax = 256;

    /// <summary>A client that was cut off has this long to read why.</summary>
    private static readonly TimeSpan CutGrace = TimeSpan.FromSeconds(5);

    private readonly StreamGate _sessions = new(SessionsMax, "groups are used by");
    private readonly StreamGate _watches = new(WatchesMax, "groups are watched by");
    private readonly SessionTable _table = new();

    /// <summary>Sessions under way.</summary>
    public int SessionCount => _sessions.Count;

    /// <summary>Watches under way.</summary>
    public int WatchCount => _watches.Count;

    /// <summary>Sessions and watches for telemetry.</summary>
    public ClientsNow Clients => new(SessionCount + WatchCount, _table.UnreadBytes, _sessions.Gone + _watches.Gone, _sessions.Cut + _watches.Cut, services.Cuts.Since);

    /// <summary>Refuses new sessions; ends when those under way have written their last receipt. To be called once <c>leaving</c> has fired and the ring thread has ended.</summary>
    public Task SessionsEndAsync() => _sessions.CloseAsync(ApiErrors.LeavingSentence);

    /// <summary>Cuts off the sessions whose clients do not read, until cancelled.</summary>
    public Task WatchStallsAsync(CancellationToken cancellationToken) => _table.WatchStallsAsync(services.Time, cancellationToken);

    /// <summary>Session, with requests and responses that stay bytes (see <see cref="SessionRequest"/>, <see cref="GroupEncoder"/>).</summary>
    public async Task Session(IAsyncStreamReader<SessionRequest> requestStream, IServerStreamWriter<EncodedResponse> responseStream, ServerCallContext context)
    {
        using var open = _sessions.Enter();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var session = new GroupSession(services, _table.NextId(), (uint)(context.GetUnixPeer()?.ProcessId ?? 0));
        using var listed = _table.Add(session);
        using var paced = services.Log.Pace.Add(session.Place);
        var writing = session.WriteAllAsync(responseStream, ends.Token);
        var reading = session.ReadAllAsync(requestStream, ends.Token, leaving);
        IReadOnlyList<string> groups = [];
        try
        {
            await Task.WhenAny(writing, session.Cut);
        }
        finally
        {
            groups = await LeaveAllAsync(session);
        }
        var cutReason = session.CutReason;   // from here on it makes no difference: the session is out of its groups
        if (cutReason is not null)
        {
            services.Cuts.Add(open, Caller.Of(context).Identity, $"its session {Printable.Value(session.Name)} ({ClientCuts.Name(groups)})", cutReason, "It cannot resume: it has to open another session and join again");
            await Task.WhenAny(writing, Task.Delay(CutGrace, services.Time, ends.Token));
        }
        var isCutShort = !writing.IsCompleted;
        await ends.CancelAsync();
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (isCutShort || cutReason is not null) await ((Task)writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cutReason is null) await Task.WhenAll(writing, reading);
        else if (isCutShort) throw RichError.Of(StatusCode.ResourceExhausted, "SESSION_CUT", cutReason).ToException();
    }

    /// <inheritdoc/>
    public override async Task<Proto.ListGroupsResponse> ListGroups(Proto.ListGroupsRequest request, ServerCallContext context)
    {
        var page = new GroupPage(request);
        return await AskAsync(ring => page.Of(ring.Node.Groups.Groups, ring.Node.Groups.MembersOf), context.CancellationToken);
    }

    /// <inheritdoc/>
    public override async Task<Proto.GetGroupResponse> GetGroup(Proto.GetGroupRequest request, ServerCallContext context)
    {
        var (members, view) = await AskAsync(ring => (ring.Node.Groups.MembersOf(request.Group), ring.Node.View), context.CancellationToken);
        if (members.Count == 0)
            throw RichError.Of(StatusCode.NotFound, "GROUP_NOT_FOUND", $"nobody is in group {Printable.Value(request.Group)}. See which there are: mbr group list.").ToException();
        var response = new Proto.GetGroupResponse { Group = GroupPage.Describe(request.Group, members, withMembers: true) };
        if (view is not null) response.View = new Proto.View { Id = view.Id.ToString(), Number = view.Number };
        return response;
    }

    /// <summary>WatchGroup, with responses that are bytes already.</summary>
    public async Task WatchGroup(Proto.WatchGroupRequest request, IServerStreamWriter<EncodedResponse> responseStream, ServerCallContext context)
    {
        if (GroupName.Check(request.Group) is { } why) throw ApiErrors.Invalid(GroupRefusal.BadName, why);
        using var open = _watches.Enter();
        var reader = new GroupReader(services.Log, new BatchSignal());
        using var paced = services.Log.Pace.Add(reader);
        var encoder = new GroupEncoder(services.Log, hashesOnly: !request.Payloads);
        var subscription = await BeginWatchAsync(request.Group, reader, encoder, context.CancellationToken);
        try
        {
            await WatchAsync(request.Group, reader, encoder, open, responseStream, context);
        }
        finally
        {
            await OnRingThreadAsync(loop =>
            {
                services.Hub.Unwatch(subscription);
                loop.View.Node.UnwatchGroup(request.Group);
            });
        }
    }

    private async Task<Subscription> BeginWatchAsync(string group, GroupReader reader, GroupEncoder encoder, CancellationToken cancellationToken)
    {
        try
        {
            var (subscription, members, view) = await services.Host.ActAsync(
                loop =>
                {
                    loop.View.Node.WatchGroup(group);
                    return (services.Hub.Watch(reader, group), loop.View.Node.Groups.MembersOf(group), loop.View.Node.View);
                },
                cancellationToken);
            var now = new Proto.GroupMembership { Group = group, Members = { members.Select(ProtoGroups.Member) } };
            if (view is not null) now.View = new Proto.View { Id = view.Id.ToString(), Number = view.Number };
            subscription.IsNamed = true;
            encoder.Add(new Proto.GroupEvent { TNs = services.Now, Membership = now });
            return subscription;
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
    }

    private async Task WatchAsync(
        string group, GroupReader reader, GroupEncoder encoder, StreamGate.OpenStream open, IServerStreamWriter<EncodedResponse> stream, ServerCallContext context)
    {
        var cancellationToken = context.CancellationToken;
        var response = new EncodedResponse();
        while (true)
        {
            var armed = reader.Signal.Arm();
            var isCut = Fill(reader, encoder);
            if (isCut)
            {
                services.Cuts.Add(open, Caller.Of(context).Identity, $"its watch of group {Printable.Text(group)}", ClientCuts.Overtaken, "It has to watch again");
                var reason = string.Create(CultureInfo.InvariantCulture, $"{ClientCuts.Overtaken} Events after position {reader.Position} were not given to it. Watch again.");
                encoder.Add(new Proto.GroupEvent { TNs = services.Now, Cut = new Proto.Cut { Resume = (ulong)reader.Position, Reason = reason } });
            }
            if (!encoder.IsEmpty)
            {
                encoder.AppendHashes();
                response.Bytes = encoder.Response;
                await stream.WriteAsync(response, cancellationToken);
                encoder.Clear();
            }
            else if (services.Log.HasEnded) throw ApiErrors.Stopped("the daemon has left the cluster and stops");
            else await armed.WaitAsync(cancellationToken);
            if (isCut) return;
        }
    }

    // True when the reader fell behind what is kept.
    private static bool Fill(GroupReader reader, GroupEncoder encoder)
    {
        reader.Refresh();
        while (!encoder.IsFull)
        {
            var found = reader.Next(out var record, out var offset, out var subscription);
            if (found == ReadResult.Nothing) return false;
            if (found == ReadResult.Overwritten || !encoder.TryAdd(reader, record, offset, subscription)) return true;
        }
        return false;
    }

    // The groups it was in, or had asked to join.
    private async Task<IReadOnlyList<string>> LeaveAllAsync(GroupSession session)
    {
        IReadOnlyList<string> groups = [];
        await OnRingThreadAsync(loop =>
        {
            groups = services.Hub.EndSession(session.Id);
            loop.EndSession(session.Id);
        });
        return groups;
    }

    // Whatever becomes of the call that asks for it.
    private async Task OnRingThreadAsync(Action<RingLoop> act)
    {
        try
        {
            await services.Host.ActAsync(
                loop =>
                {
                    act(loop);
                    return true;
                },
                CancellationToken.None);
        }
        catch (RingStoppedException)
        {
            // Its groups ended with the node.
        }
    }

    private async Task<T> AskAsync<T>(Func<RingView, T> read, CancellationToken cancellationToken)
    {
        try
        {
            return await services.Host.QueryAsync(read, cancellationToken);
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
    }
}

/// <summary>Binds <see cref="GroupApi"/> as generated code does, but its streams with bytes in place of objects.</summary>
internal static class GroupApiBinding
{
    /// <summary>Found by its name through <see cref="BindServiceMethodAttribute"/>.</summary>
    public static void BindService(ServiceBinderBase binder, GroupApi? service) =>
        Proto.GroupService.BindService(new StreamReplacer(binder, service), service);

    private sealed class StreamReplacer(ServiceBinderBase inner, GroupApi? service) : ForwardingBinder(inner)
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
        {
            if (method is Method<Proto.GroupRequest, Proto.GroupResponse> session)
                Inner.AddMethod(
                    new Method<SessionRequest, EncodedResponse>(session.Type, session.ServiceName, session.Name, SessionRequest.Marshaller, EncodedResponse.Marshaller),
                    service is null ? null : new DuplexStreamingServerMethod<SessionRequest, EncodedResponse>(service.Session));
            else base.AddMethod(method, handler);
        }

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
        {
            if (method is Method<Proto.WatchGroupRequest, Proto.WatchGroupResponse> watch)
                Inner.AddMethod(Encoded(watch), service is null ? null : new ServerStreamingServerMethod<Proto.WatchGroupRequest, EncodedResponse>(service.WatchGroup));
            else base.AddMethod(method, handler);
        }
    }
}
