using System.Globalization;
using Grpc.Core;
using Membership.Daemon.Ring;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>QuorumService of proto/membership/v1/quorum.proto: the verdict in force and every later one.</summary>
/// <remarks>Streams end with UNAVAILABLE when the daemon stops: the server sees to it.</remarks>
internal sealed class QuorumApi(RingHost host, QuorumHistory verdicts, ProtoQuorum protoQuorum, ulong boot) : Proto.QuorumService.QuorumServiceBase
{
    /// <summary>Watches open at a time.</summary>
    public const int WatchesMax = 1024;

    private readonly StreamGate _watches = new(WatchesMax, "quorum is watched by");
    private readonly string _boot = ProtoViews.Boot(boot);

    /// <summary>Watches under way.</summary>
    public int WatchCount => _watches.Count;

    /// <inheritdoc/>
    public override async Task<Proto.GetQuorumResponse> GetQuorum(Proto.GetQuorumRequest request, ServerCallContext context) =>
        new() { Quorum = protoQuorum.Of(await CurrentAsync(context.CancellationToken)) };

    /// <inheritdoc/>
    public override async Task WatchQuorum(Proto.WatchQuorumRequest request, IServerStreamWriter<Proto.WatchQuorumResponse> responseStream, ServerCallContext context)
    {
        using var open = _watches.Enter();
        var cancellationToken = context.CancellationToken;
        var after = Revisions.Resume(request.AfterRevision, request.Boot, _boot, verdicts, "verdicts");
        // At once, also when there is nothing to tell yet: the client knows that it watches.
        if (after >= verdicts.LastRevision) await responseStream.WriteAsync(new Proto.WatchQuorumResponse { Boot = _boot }, cancellationToken);
        for (var revision = after + 1; ; revision++)
        {
            await verdicts.WaitAsync(revision - 1, cancellationToken);
            var verdict = verdicts.Find(revision) ?? throw Revisions.Gone(revision - 1, verdicts, "verdicts");
            await responseStream.WriteAsync(new Proto.WatchQuorumResponse { Quorum = protoQuorum.Of(verdict), Boot = _boot }, cancellationToken);
        }
    }

    // Before the first view the core has a verdict already, which no change has announced.
    private async Task<Verdict> CurrentAsync(CancellationToken cancellationToken)
    {
        if (verdicts.Current is { } current) return current;
        try
        {
            return new Verdict(await host.QueryAsync(ring => ring.Node.Quorum, cancellationToken), null, 0, host.Clock.Absolute(host.Clock.Now)) { Origin = host.Clock.Absolute(default) };
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
    }
}

/// <summary>Where a watch by revision begins, and what it is told when that place is not there.</summary>
internal static class Revisions
{
    /// <summary>The revision after which a watch begins: that asked for, or the one before the newest.</summary>
    /// <param name="after">As asked for; 0: begin with the newest.</param>
    /// <param name="boot">Of the daemon that counted <paramref name="after"/>; empty: not compared.</param>
    /// <param name="ownBoot">Of this daemon.</param>
    /// <param name="history">What is watched.</param>
    /// <param name="what">Its plural, for messages.</param>
    public static ulong Resume<T>(ulong after, string boot, string ownBoot, History<T> history, string what)
        where T : class, IRevisioned
    {
        if (after == 0 || (boot.Length > 0 && boot != ownBoot)) return Math.Max(history.LastRevision, 1) - 1;
        if (after > history.LastRevision)
        {
            throw ApiErrors.OutOfRange(
                "REVISION_AHEAD",
                $"revision {after} has not been reached, the last is {history.LastRevision}: revisions begin anew when the daemon restarts. Watch again with after_revision 0.",
                ("last_revision", Text(history.LastRevision)));
        }
        return after + 1 < history.OldestRevision ? throw Gone(after, history, what) : after;
    }

    /// <summary>What follows a revision is no longer kept.</summary>
    public static RpcException Gone<T>(ulong after, History<T> history, string what)
        where T : class, IRevisioned => ApiErrors.OutOfRange(
            "REVISION_GONE",
            $"{what} after revision {after} are no longer kept; the oldest kept has revision {history.OldestRevision}. Watch again with after_revision {history.OldestRevision - 1}, or with 0 for the current one.",
            ("oldest_revision", Text(history.OldestRevision)));

    private static string Text(ulong value) => value.ToString(CultureInfo.InvariantCulture);
}
