using Grpc.Core;
using Membership.V1;

namespace Membership.Testing;

/// <summary>Groups of one node, as its daemon would serve them.</summary>
internal sealed class NodeGroups(TestNode node) : GroupService.GroupServiceBase
{
    public override async Task Session(IAsyncStreamReader<GroupRequest> requestStream, IServerStreamWriter<GroupResponse> responseStream, ServerCallContext context)
    {
        // In memory a write is complete when it returns.
        var session = new TestSession(node, happened => _ = responseStream.WriteAsync(new GroupResponse { Events = { happened } }));
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false))
            {
                lock (node.World.Gate)
                {
                    if (!node.IsUp) throw new RpcException(new Status(StatusCode.Unavailable, $"node {node.Id} is not running"));
                    session.Handle(requestStream.Current);
                }
            }
        }
        finally
        {
            lock (node.World.Gate) node.Close(session);
        }
    }

    public override Task<ListGroupsResponse> ListGroups(ListGroupsRequest request, ServerCallContext context)
    {
        lock (node.World.Gate)
        {
            var groups = node.Core.Groups;
            var names = groups.Groups.Where(name => string.CompareOrdinal(name, request.After) > 0);
            return Task.FromResult(new ListGroupsResponse { Groups = { names.Select(name => Describe(name, groups.MembersOf(name))) } });
        }
    }

    private static Group Describe(string name, IReadOnlyList<Cpg.GroupMember> members) =>
        new() { Name = name, MemberCount = (uint)members.Count, Members = { members.Select(Convert.Member) } };
}

/// <summary>Quorum of one node, as its daemon would serve it.</summary>
internal sealed class NodeQuorum(TestNode node) : QuorumService.QuorumServiceBase
{
    public override Task<GetQuorumResponse> GetQuorum(GetQuorumRequest request, ServerCallContext context) =>
        Task.FromResult(new GetQuorumResponse { Quorum = node.CurrentQuorum() });

    public override async Task WatchQuorum(WatchQuorumRequest request, IServerStreamWriter<WatchQuorumResponse> responseStream, ServerCallContext context)
    {
        string boot = node.BootText;
        await responseStream.WriteAsync(new WatchQuorumResponse { Boot = boot }).ConfigureAwait(false);
        await node.Verdicts.FollowAsync(
            request.AfterRevision, request.Boot, boot, quorum => responseStream.WriteAsync(new WatchQuorumResponse { Quorum = quorum.Clone() }), context.CancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Status and views of one node, as its daemon would serve them. The raw ring is not served.</summary>
internal sealed class NodeMembership(TestNode node) : MembershipService.MembershipServiceBase
{
    public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context)
    {
        lock (node.World.Gate)
        {
            var quorum = node.Core.Quorum;
            return Task.FromResult(new GetStatusResponse
            {
                Cluster = "test",
                Node = node.Id.Value,
                NodeName = Convert.Name(node.Id),
                View = node.Views.Last?.Clone(),
                Quorate = quorum.IsQuorate,
                Votes = quorum.Votes,
                VotesNeeded = quorum.Needed,
                VotesExpected = quorum.Expected,
                QuorumReason = Convert.Reason(quorum),
                RingState = node.Core.State.ToString().ToLowerInvariant(),
                Profile = "lan",
                Boot = node.BootText,
                TNs = node.World.Now.Nanoseconds,
            });
        }
    }

    public override async Task WatchViews(WatchViewsRequest request, IServerStreamWriter<WatchViewsResponse> responseStream, ServerCallContext context)
    {
        string boot = node.BootText;
        await responseStream.WriteAsync(new WatchViewsResponse { Boot = boot }).ConfigureAwait(false);
        await node.Views.FollowAsync(
            request.AfterRevision, request.Boot, boot, view => responseStream.WriteAsync(new WatchViewsResponse { View = view.Clone() }), context.CancellationToken).ConfigureAwait(false);
    }
}
