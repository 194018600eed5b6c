using System.Globalization;
using Grpc.Core;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Grpc.Errors;
using Membership.Quorum;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>What an operator changes: votes in the whole cluster, this daemon's membership and keys.</summary>
/// <param name="host">The ring thread.</param>
/// <param name="configuration">Knows the nodes.</param>
/// <param name="changes">Who waits for a change of votes.</param>
/// <param name="verdicts">Shows what a change led to.</param>
/// <param name="protoQuorum">Nodes by their names.</param>
/// <param name="reload">Reads the files again.</param>
/// <param name="leave">Begins to leave as SIGTERM does; returns at once.</param>
/// <param name="time">Limits the waiting.</param>
internal sealed class AdminCommands(
    RingHost host,
    ClusterConfiguration configuration,
    QuorumChanges changes,
    QuorumHistory verdicts,
    ProtoQuorum protoQuorum,
    ConfigurationReload reload,
    Action leave,
    TimeProvider time)
{
    /// <summary>A change of votes that takes longer is answered as unknown; the deadline of the call may be shorter.</summary>
    public static readonly TimeSpan ChangeMax = TimeSpan.FromSeconds(30);

    /// <summary>Votes of one node.</summary>
    public async Task<Proto.SetVotesResponse> SetVotesAsync(Proto.SetVotesRequest request, CancellationToken cancellationToken)
    {
        var known = configuration.Nodes.FirstOrDefault(node => node.Id.Value == request.Node);
        if (known is null)
        {
            var nodes = string.Join(", ", configuration.Nodes.Select(node => $"{node.Id} ({node.Name})"));
            throw RichError.Of(StatusCode.NotFound, "NODE_NOT_FOUND", $"node {request.Node} is not configured; configured are {nodes}.", ("node", Text(request.Node))).ToException();
        }
        await ChangeAsync(new QuorumChange.SetVotes(known.Id, request.Votes), cancellationToken);
        return new Proto.SetVotesResponse { VotesExpected = verdicts.Current?.State.Expected ?? 0 };
    }

    /// <summary>Expected votes of the cluster.</summary>
    public async Task<Proto.SetExpectedVotesResponse> SetExpectedVotesAsync(Proto.SetExpectedVotesRequest request, CancellationToken cancellationToken)
    {
        if (request.Votes == 0) throw ApiErrors.Invalid("EXPECTED_VOTES", "expected votes are 0, not at least 1. Give the votes of all nodes that belong to the cluster.");
        await ChangeAsync(new QuorumChange.SetExpected(request.Votes), cancellationToken);
        return new Proto.SetExpectedVotesResponse { VotesNeeded = verdicts.Current?.State.Needed ?? 0 };
    }

    /// <summary>Stop waiting for all.</summary>
    public async Task<Proto.CancelWaitForAllResponse> CancelWaitForAllAsync(CancellationToken cancellationToken)
    {
        await ChangeAsync(new QuorumChange.CancelWaitForAll(), cancellationToken);
        return new Proto.CancelWaitForAllResponse();
    }

    /// <summary>Begins to leave; the answer of this call is still written.</summary>
    public void Leave() => leave();

    /// <summary>What the files would change; applies what can be applied when asked to.</summary>
    public async Task<Proto.ReloadResponse> ReloadAsync(bool apply, CancellationToken cancellationToken)
    {
        try
        {
            return await reload.RunAsync(apply, cancellationToken);
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
    }

    private async Task ChangeAsync(QuorumChange change, CancellationToken cancellationToken)
    {
        var (tag, done) = changes.Expect();
        try
        {
            await host.ActAsync(
                loop =>
                {
                    loop.ChangeQuorum(change, tag);
                    return true;
                },
                cancellationToken);
            var ended = await Task.WhenAny(done, host.Completion).WaitAsync(ChangeMax, time, cancellationToken);
            if (ended != done) throw ApiErrors.Stopped("this node left the cluster before the change was decided; ask another node what holds.");
            if (await done is { } refused)
                throw RichError.Of(StatusCode.FailedPrecondition, "QUORUM_CHANGE_REFUSED", $"{protoQuorum.WithNames(refused)}. Nothing was changed.").ToException();
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
        catch (TimeoutException)
        {
            throw RichError.Of(
                StatusCode.DeadlineExceeded,
                "QUORUM_CHANGE_PENDING",
                $"the change was not decided within {ChangeMax.TotalSeconds} s and may still take effect. See what holds: mbr quorum status.").ToException();
        }
        finally
        {
            changes.Forget(tag);
        }
    }

    private static string Text(uint value) => value.ToString(CultureInfo.InvariantCulture);
}
