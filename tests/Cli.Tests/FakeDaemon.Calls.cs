using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Membership.Cli.Daemons;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <content>Quorum, groups and what an operator changes.</content>
internal sealed partial class FakeDaemon : IQuorumCalls, IAdminCalls, IGroupCalls
{
    /// <summary>What WatchQuorum yields; GetQuorum answers with the last. Without one GetQuorum never answers.</summary>
    public List<Quorum> Verdicts { get; } = [];

    /// <summary>All groups of the cluster, by name.</summary>
    public List<Group> GroupList { get; } = [];

    /// <summary>What WatchGroup yields; afterwards it stays open unless <see cref="StreamsEnd"/>.</summary>
    public List<WatchGroupResponse> GroupEvents { get; } = [];

    /// <summary>How WatchGroup ends after these; null: as above.</summary>
    public Errors.CliException? WatchEnds { get; set; }

    /// <summary>Requests that change something, and those of group sessions, in order.</summary>
    public List<object> Requests { get; } = [];

    /// <summary>Answers one request of a group session; null is no answer.</summary>
    public Func<GroupRequest, GroupResponse?> OnGroupRequest { get; set; } = static _ => null;

    /// <summary>Called when the daemon is asked to leave.</summary>
    public Action OnLeave { get; set; } = static () => { };

    /// <summary>The answer to Reload.</summary>
    public ReloadResponse Reload { get; set; } = new();

    public IQuorumCalls Quorum => this;

    public IGroupCalls Groups => this;

    public IAdminCalls Admin => this;

    /// <summary>Answers to who the caller is.</summary>
    public Func<WhoAmIRequest, WhoAmIResponse> WhoAmI { get; set; } = static _ => new WhoAmIResponse { Identity = "uid:0 pid:1", Role = Role.Admin, Because = "root is admin" };

    Task<WhoAmIResponse> IAdminCalls.WhoAmIAsync(WhoAmIRequest request, CancellationToken cancellationToken)
    {
        ThrowFailure();
        return Task.FromResult(WhoAmI(request));
    }

    async Task<Quorum> IQuorumCalls.GetAsync(CancellationToken cancellationToken)
    {
        ThrowFailure();
        if (Verdicts.Count == 0)
            await Task.Delay(Timeout.Infinite, cancellationToken);
        return Verdicts[^1];
    }

    async IAsyncEnumerable<Quorum> IQuorumCalls.WatchAsync(ulong afterRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ThrowFailure();
        foreach (var verdict in Verdicts)
            yield return verdict;
        OnStreamIdle();
        if (!StreamsEnd)
            await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    public Task<SetVotesResponse> SetVotesAsync(SetVotesRequest request, CancellationToken cancellationToken) =>
        Changed(request, new SetVotesResponse { VotesExpected = 6 });

    public Task<SetExpectedVotesResponse> SetExpectedVotesAsync(SetExpectedVotesRequest request, CancellationToken cancellationToken) =>
        Changed(request, new SetExpectedVotesResponse { VotesNeeded = (request.Votes / 2) + 1 });

    public Task CancelWaitForAllAsync(CancellationToken cancellationToken) =>
        Changed(new CancelWaitForAllRequest(), new CancelWaitForAllResponse());

    public Task LeaveAsync(CancellationToken cancellationToken)
    {
        var left = Changed(new LeaveRequest(), new LeaveResponse());
        OnLeave();
        return left;
    }

    public Task<ReloadResponse> ReloadAsync(ReloadRequest request, CancellationToken cancellationToken) => Changed(request, Reload);

    public Task<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancellationToken)
    {
        ThrowFailure();
        const int Page = 2; // small, so that a test sees several
        var rest = GroupList.Where(group => string.CompareOrdinal(group.Name, request.After) > 0).ToList();
        var answer = new ListGroupsResponse { More = rest.Count > Page };
        answer.Groups.AddRange(rest.Take(Page));
        return Task.FromResult(answer);
    }

    Task<GetGroupResponse> IGroupCalls.GetAsync(string group, CancellationToken cancellationToken)
    {
        ThrowFailure();
        return GroupList.Find(each => each.Name == group) is { } found
            ? Task.FromResult(new GetGroupResponse { Group = found, View = Clusters.View(1, [1, 2]) })
            : Task.FromException<GetGroupResponse>(new Errors.CliException(Errors.ErrorCatalogue.NotFound, ("detail", $"nobody is in group {group}")));
    }

    public async IAsyncEnumerable<WatchGroupResponse> WatchAsync(
        WatchGroupRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ThrowFailure();
        Requests.Add(request);
        foreach (var response in GroupEvents)
            yield return response;
        if (WatchEnds is { } end)
            throw end;
        OnStreamIdle();
        if (!StreamsEnd)
            await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    /// <summary>Sessions in bytes.</summary>
    public Func<ResponseTaker, IRawGroupSession> RawGroups { get; init; } = static _ => throw new NotSupportedException("no sessions in bytes here");

    public IRawGroupSession OpenRaw(ResponseTaker taker, CancellationToken cancellationToken) => RawGroups(taker);

    public IGroupSession Open(CancellationToken cancellationToken)
    {
        ThrowFailure();
        return new FakeSession(this);
    }

    private Task<T> Changed<T>(object request, T answer)
    {
        ThrowFailure();
        Requests.Add(request);
        return Task.FromResult(answer);
    }

    private sealed class FakeSession(FakeDaemon daemon) : IGroupSession
    {
        private readonly Channel<GroupResponse> _events = Channel.CreateUnbounded<GroupResponse>();

        public Task SendAsync(GroupRequest request, CancellationToken cancellationToken)
        {
            daemon.Requests.Add(request);
            if (daemon.OnGroupRequest(request) is { } answer)
                _events.Writer.TryWrite(answer);
            return Task.CompletedTask;
        }

        public Task CompleteAsync()
        {
            _events.Writer.TryComplete();
            return Task.CompletedTask;
        }

        public IAsyncEnumerable<GroupResponse> EventsAsync(CancellationToken cancellationToken) => _events.Reader.ReadAllAsync(cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
