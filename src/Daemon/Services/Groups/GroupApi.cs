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
    private readonly ClientTable _table = new();
    private readonly KeptGroups _kept = new(services.Hub, services.Time);

    /// <summary>Sessions under way.</summary>
    public int SessionCount => _sessions.Count;

    /// <summary>Watches under way.</summary>
    public int WatchCount => _watches.Count;

    /// <summary>True while groups are recorded for clients that were cut off.</summary>
    public bool KeepsGroups => _kept.Any;

    /// <summary>Sessions and watches for telemetry.</summary>
    public ClientsNow Clients => new(SessionCount + WatchCount, _table.UnreadBytes, _sessions.Gone + _watches.Gone, _sessions.Cut + _watches.Cut, services.Cuts.Since);

    /// <summary>Refuses new sessions; ends when those under way have written their last receipt. To be called once <c>leaving</c> has fired and the ring thread has ended.</summary>
    public Task SessionsEndAsync() => _sessions.CloseAsync(ApiErrors.LeavingSentence);

    /// <summary>Cuts off clients that do not read, and forgets those that did not come back, until cancelled.</summary>
    public Task WatchStallsAsync(CancellationToken cancellationToken) => Task.WhenAll(_table.WatchStallsAsync(services.Time, cancellationToken), ReleaseKeptAsync(cancellationToken));

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
            var then = $"It has to open another session and join again, and can read what it missed by watching its groups after the position it was told, for {KeptGroups.KeepFor.TotalSeconds} s";
            services.Cuts.Add(open, Caller.Of(context).Identity, $"its session {Printable.Value(session.Name)} ({ClientCuts.Name(groups)})", cutReason, then);
            await Task.WhenAny(writing, Task.Delay(CutGrace, services.Time, ends.Token));
        }
        var isCutShort = !writing.IsCompleted;
        await ends.CancelAsync();
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (isCutShort || cutReason is not null) await ((Task)writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cutReason is null) await Task.WhenAll(writing, reading);
        else if (isCutShort) throw RichError.Of(StatusCode.ResourceExhausted, "SESSION_CUT", $"{cutReason} {GroupResumption.SessionGoesOnWithoutCut}").ToException();
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
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var watch = new GroupWatch(services, request);
        using var listed = _table.Add(watch);
        using var paced = services.Log.Pace.Add(watch.Place);
        await watch.BeginAsync();
        var writing = watch.WriteAllAsync(responseStream, ends.Token);
        try
        {
            await Task.WhenAny(writing, watch.Cut);
        }
        finally
        {
            await OnRingThreadAsync(loop =>
            {
                _kept.Keep(loop, request.Group);   // also for a client whose connection was lost
                watch.End(loop);
            });
        }
        if (watch.CutReason is not { } cutReason)
        {
            await writing;
            return;
        }
        services.Cuts.Add(open, Caller.Of(context).Identity, $"its watch of group {Printable.Text(request.Group)}", cutReason, $"It can watch again after the position it was told, for {KeptGroups.KeepFor.TotalSeconds} s");
        await Task.WhenAny(writing, Task.Delay(CutGrace, services.Time, ends.Token));
        var isCutShort = !writing.IsCompleted;
        await ends.CancelAsync();
        await ((Task)writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (isCutShort) throw RichError.Of(StatusCode.ResourceExhausted, "WATCH_CUT", $"{cutReason} Watch again after the position of the last event that came.").ToException();
    }

    // The groups it was in, or had asked to join.
    private async Task<IReadOnlyList<string>> LeaveAllAsync(GroupSession session)
    {
        IReadOnlyList<string> groups = [];
        await OnRingThreadAsync(loop =>
        {
            groups = services.Hub.GroupsOf(session.Id);
            if (session.CutReason is not null)
            {
                foreach (var group in groups.TakeLast(KeptGroups.Max)) _kept.Keep(loop, group);
            }
            services.Hub.EndSession(session.Id);
            loop.EndSession(session.Id);
        });
        return groups;
    }

    private async Task ReleaseKeptAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(KeptGroups.ReleasePace, services.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                if (_kept.Any) await OnRingThreadAsync(_kept.ReleaseDue);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
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
