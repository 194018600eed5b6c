using Grpc.Core;
using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Grpc.Errors;
using Membership.Links;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>FaultService: the test transport. Refused unless the daemon was started with --allow-fault-injection.</summary>
internal sealed class FaultApi(RingHost host, ClusterConfiguration configuration, bool isAllowed) : Proto.FaultService.FaultServiceBase
{
    /// <inheritdoc/>
    public override async Task<Proto.SetFaultsResponse> SetFaults(Proto.SetFaultsRequest request, ServerCallContext context)
    {
        CheckAllowed();
        await Ask(host.SetFaults([.. request.Faults.Select(Rule)], context.CancellationToken));
        return new Proto.SetFaultsResponse();
    }

    /// <inheritdoc/>
    public override async Task<Proto.FreezeResponse> Freeze(Proto.FreezeRequest request, ServerCallContext context)
    {
        CheckAllowed();
        var max = (long)RingHost.FreezeMax.TotalMilliseconds;
        if (request.DurationMs < 1 || request.DurationMs > max) throw Invalid($"duration_ms is {request.DurationMs}, not 1 to {max}");
        await Ask(host.Freeze(TimeSpan.FromMilliseconds(request.DurationMs), context.CancellationToken));
        return new Proto.FreezeResponse();
    }

    private FaultRule Rule(Proto.Fault fault, int index)
    {
        NodeId? peer = null;
        if (fault.Peer != 0)
        {
            peer = fault.Peer <= ushort.MaxValue ? new NodeId((ushort)fault.Peer) : default;
            if (!configuration.Table.TryPosition(peer.Value, out _)) throw Invalid($"faults[{index}].peer is {fault.Peer}, not a configured node ({string.Join(", ", configuration.Nodes.Select(n => n.Id))}) and not 0 for all");
        }
        LinkId? link = null;
        var last = (char)('A' + configuration.Nodes[0].Links.Count - 1);
        if (fault.Link.Length > 0)
        {
            if (fault.Link.Length != 1 || fault.Link[0] < 'A' || fault.Link[0] > last) throw Invalid($"faults[{index}].link is {Printable.Value(fault.Link)}, not A to {last} and not empty for all");
            link = new LinkId((byte)(fault.Link[0] - 'A'));
        }
        if (!(fault.Loss is >= 0 and <= 1)) throw Invalid($"faults[{index}].loss is {fault.Loss}, not 0 to 1");
        var direction = fault.Direction switch
        {
            Proto.Direction.Unspecified => FaultDirection.Both,
            Proto.Direction.In => FaultDirection.In,
            Proto.Direction.Out => FaultDirection.Out,
            _ => throw Invalid($"faults[{index}].direction is {(int)fault.Direction}, not 0 (both), 1 (in) or 2 (out)"),
        };
        return new FaultRule(peer, link, direction, fault.Loss);
    }

    private void CheckAllowed()
    {
        if (!isAllowed) throw RichError.Of(StatusCode.Unimplemented, "FAULTS_NOT_ALLOWED", "this daemon does not inject faults: start it with --allow-fault-injection, on test clusters only").ToException();
    }

    private static async Task Ask(Task answer)
    {
        try
        {
            await answer;
        }
        catch (RingStoppedException stopped)
        {
            throw ApiErrors.Stopped(stopped.Message);
        }
    }

    private static RpcException Invalid(string why) => ApiErrors.Invalid("FAULT_RULE", why);
}
