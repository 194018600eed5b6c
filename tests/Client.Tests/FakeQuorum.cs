using Grpc.Core;
using Membership.V1;

namespace Membership.Client.Tests;

/// <summary>Records of quorum in a list.</summary>
internal sealed class FakeQuorum(string boot) : QuorumService.QuorumServiceBase
{
    private readonly Lock _gate = new();
    private readonly List<V1.Quorum> _records = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<WatchQuorumRequest> WatchRequests { get; } = [];

    public void Decide(bool quorate, ulong votes)
    {
        lock (_gate)
        {
            ulong revision = (ulong)_records.Count + 1;
            _records.Add(new V1.Quorum { Quorate = quorate, Votes = votes, VotesNeeded = 2, VotesExpected = 3, Reason = $"{votes} of 3 votes, need 2", Revision = revision });
            var changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.TrySetResult();
        }
    }

    /// <summary>Tells the times of the last record.</summary>
    public void Tell(long forMs, long inMs)
    {
        lock (_gate) (_records[^1].QuorateUntilNs, _records[^1].ExclusiveFromNs, _records[^1].QuorateForMs, _records[^1].ExclusiveInMs) = (2, 1, forMs, inMs);
    }

    public override Task<GetQuorumResponse> GetQuorum(GetQuorumRequest request, ServerCallContext context)
    {
        lock (_gate) return Task.FromResult(new GetQuorumResponse { Quorum = _records.LastOrDefault() ?? new V1.Quorum { Reason = "not started" } });
    }

    public override async Task WatchQuorum(WatchQuorumRequest request, IServerStreamWriter<WatchQuorumResponse> responseStream, ServerCallContext context)
    {
        lock (_gate) WatchRequests.Add(request);
        bool continues = request.AfterRevision > 0 && (request.Boot.Length == 0 || request.Boot == boot);
        int next = continues ? (int)request.AfterRevision : Math.Max(_records.Count - 1, 0);
        await responseStream.WriteAsync(new WatchQuorumResponse { Boot = boot });
        while (true)
        {
            Task changed;
            List<V1.Quorum> fresh;
            lock (_gate)
            {
                changed = _changed.Task;
                fresh = _records[next..];
                next = _records.Count;
            }
            foreach (var quorum in fresh) await responseStream.WriteAsync(new WatchQuorumResponse { Quorum = quorum.Clone() });
            await changed.WaitAsync(context.CancellationToken);
        }
    }
}
