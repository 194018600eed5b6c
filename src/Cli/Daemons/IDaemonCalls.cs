using Membership.V1;

namespace Membership.Cli.Daemons;

/// <summary>QuorumService as the commands see it.</summary>
internal interface IQuorumCalls
{
    /// <summary>Quorum as the daemon sees it now.</summary>
    Task<Quorum> GetAsync(CancellationToken cancellationToken);

    /// <summary>The current state, then each later one.</summary>
    IAsyncEnumerable<Quorum> WatchAsync(ulong afterRevision, CancellationToken cancellationToken);
}

/// <summary>AdminService as the commands see it.</summary>
internal interface IAdminCalls
{
    /// <summary>Changes the votes of one node.</summary>
    Task<SetVotesResponse> SetVotesAsync(SetVotesRequest request, CancellationToken cancellationToken);

    /// <summary>Changes the expected votes of the cluster.</summary>
    Task<SetExpectedVotesResponse> SetExpectedVotesAsync(SetExpectedVotesRequest request, CancellationToken cancellationToken);

    /// <summary>Ends waiting for all.</summary>
    Task CancelWaitForAllAsync(CancellationToken cancellationToken);

    /// <summary>Makes the daemon leave the cluster and end.</summary>
    Task LeaveAsync(CancellationToken cancellationToken);

    /// <summary>Asks who the caller is, and whether it may make a call.</summary>
    Task<WhoAmIResponse> WhoAmIAsync(WhoAmIRequest request, CancellationToken cancellationToken);

    /// <summary>Compares the daemon's configuration file with what runs.</summary>
    Task<ReloadResponse> ReloadAsync(ReloadRequest request, CancellationToken cancellationToken);
}

/// <summary>GroupService as the commands see it.</summary>
internal interface IGroupCalls
{
    /// <summary>One page of groups.</summary>
    Task<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancellationToken);

    /// <summary>One group with its members.</summary>
    Task<GetGroupResponse> GetAsync(string group, CancellationToken cancellationToken);

    /// <summary>Events of a group without being in it.</summary>
    IAsyncEnumerable<WatchGroupResponse> WatchAsync(WatchGroupRequest request, CancellationToken cancellationToken);

    /// <summary>Opens a session: this process as a member of groups.</summary>
    IGroupSession Open(CancellationToken cancellationToken);

    /// <summary>The same with requests and responses as the bytes they are on the wire, for who cannot afford an object per message.</summary>
    /// <param name="taker">Gets each GroupResponse while <see cref="IRawGroupSession.ReadAsync"/> runs; the bytes are valid during the call only.</param>
    IRawGroupSession OpenRaw(ResponseTaker taker, CancellationToken cancellationToken);
}

/// <summary>Takes the bytes of one response.</summary>
internal delegate void ResponseTaker(ReadOnlySpan<byte> response);

/// <summary>One session in bytes. One sender and one reader at a time.</summary>
internal interface IRawGroupSession : IAsyncDisposable
{
    /// <summary>Writes one GroupRequest; its memory may be used again when this returns.</summary>
    Task SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken);

    /// <summary>Nothing more will be asked for.</summary>
    Task CompleteAsync();

    /// <summary>Takes the next response; false at the end.</summary>
    Task<bool> ReadAsync(CancellationToken cancellationToken);
}

/// <summary>One session: requests go in, events come out.</summary>
internal interface IGroupSession : IAsyncDisposable
{
    /// <summary>Writes a request; returns when the daemon has room for more.</summary>
    Task SendAsync(GroupRequest request, CancellationToken cancellationToken);

    /// <summary>Nothing more will be asked for; events may still come.</summary>
    Task CompleteAsync();

    /// <summary>Events in their order.</summary>
    IAsyncEnumerable<GroupResponse> EventsAsync(CancellationToken cancellationToken);
}
