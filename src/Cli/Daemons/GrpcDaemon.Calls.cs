using System.Runtime.CompilerServices;
using Grpc.Core;
using Membership.V1;

namespace Membership.Cli.Daemons;

/// <content>Quorum, groups and what an operator changes.</content>
internal sealed partial class GrpcDaemon
{
    /// <inheritdoc/>
    public IQuorumCalls Quorum => new QuorumCalls(this, new QuorumService.QuorumServiceClient(channel));

    /// <inheritdoc/>
    public IGroupCalls Groups => new GroupCalls(this, new GroupService.GroupServiceClient(channel));

    /// <inheritdoc/>
    public IAdminCalls Admin => new AdminCalls(this, new AdminService.AdminServiceClient(channel));

    private sealed class QuorumCalls(GrpcDaemon daemon, QuorumService.QuorumServiceClient client) : IQuorumCalls
    {
        public async Task<Quorum> GetAsync(CancellationToken cancellationToken)
        {
            var answer = await daemon.AnswerAsync(client.GetQuorumAsync(new GetQuorumRequest(), cancellationToken: cancellationToken), cancellationToken);
            return answer.Quorum ?? new Quorum();
        }

        // The first response may come without a record: there is none newer than the revision asked for.
        public async IAsyncEnumerable<Quorum> WatchAsync(ulong afterRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            using var call = client.WatchQuorum(new WatchQuorumRequest { AfterRevision = afterRevision }, cancellationToken: cancellationToken);
            await foreach (var response in daemon.ReadAsync(call.ResponseStream, cancellationToken))
                if (response.Quorum is { } quorum)
                    yield return quorum;
        }
    }

    private sealed class AdminCalls(GrpcDaemon daemon, AdminService.AdminServiceClient client) : IAdminCalls
    {
        public Task<SetVotesResponse> SetVotesAsync(SetVotesRequest request, CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.SetVotesAsync(request, cancellationToken: cancellationToken), cancellationToken);

        public Task<SetExpectedVotesResponse> SetExpectedVotesAsync(SetExpectedVotesRequest request, CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.SetExpectedVotesAsync(request, cancellationToken: cancellationToken), cancellationToken);

        public Task CancelWaitForAllAsync(CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.CancelWaitForAllAsync(new CancelWaitForAllRequest(), cancellationToken: cancellationToken), cancellationToken);

        public Task LeaveAsync(CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.LeaveAsync(new LeaveRequest(), cancellationToken: cancellationToken), cancellationToken);

        public Task<WhoAmIResponse> WhoAmIAsync(WhoAmIRequest request, CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.WhoAmIAsync(request, cancellationToken: cancellationToken), cancellationToken);

        public Task<ReloadResponse> ReloadAsync(ReloadRequest request, CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.ReloadAsync(request, cancellationToken: cancellationToken), cancellationToken);
    }

    private sealed class GroupCalls(GrpcDaemon daemon, GroupService.GroupServiceClient client) : IGroupCalls
    {
        public Task<ListGroupsResponse> ListAsync(ListGroupsRequest request, CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.ListGroupsAsync(request, cancellationToken: cancellationToken), cancellationToken);

        public Task<GetGroupResponse> GetAsync(string group, CancellationToken cancellationToken) =>
            daemon.AnswerAsync(client.GetGroupAsync(new GetGroupRequest { Group = group }, cancellationToken: cancellationToken), cancellationToken);

        public async IAsyncEnumerable<WatchGroupResponse> WatchAsync(
            WatchGroupRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            using var call = client.WatchGroup(request, cancellationToken: cancellationToken);
            await foreach (var response in daemon.ReadAsync(call.ResponseStream, cancellationToken))
                yield return response;
        }

        public IGroupSession Open(CancellationToken cancellationToken) =>
            new Session(daemon, client.Session(cancellationToken: cancellationToken));

        public IRawGroupSession OpenRaw(ResponseTaker taker, CancellationToken cancellationToken) => new RawSession(daemon, taker, cancellationToken);
    }

    private sealed class Session(GrpcDaemon daemon, AsyncDuplexStreamingCall<GroupRequest, GroupResponse> call) : IGroupSession
    {
        public Task SendAsync(GroupRequest request, CancellationToken cancellationToken) =>
            daemon.WriteAsync(call.RequestStream, request, cancellationToken);

        public Task CompleteAsync() => daemon.CompleteAsync(call.RequestStream);

        public IAsyncEnumerable<GroupResponse> EventsAsync(CancellationToken cancellationToken) =>
            daemon.ReadAsync(call.ResponseStream, cancellationToken);

        public ValueTask DisposeAsync()
        {
            call.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
