using Grpc.Core;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>AdminService of proto/membership/v1/admin.proto. Who may call it is decided before.</summary>
/// <param name="commands">What is done.</param>
/// <param name="whoAmI">Who the caller is, and what it may do; the access layer answers.</param>
internal sealed class AdminApi(AdminCommands commands, Func<ServerCallContext, string, Proto.WhoAmIResponse> whoAmI) : Proto.AdminService.AdminServiceBase
{
    /// <inheritdoc/>
    public override Task<Proto.SetVotesResponse> SetVotes(Proto.SetVotesRequest request, ServerCallContext context) =>
        commands.SetVotesAsync(request, context.CancellationToken);

    /// <inheritdoc/>
    public override Task<Proto.SetExpectedVotesResponse> SetExpectedVotes(Proto.SetExpectedVotesRequest request, ServerCallContext context) =>
        commands.SetExpectedVotesAsync(request, context.CancellationToken);

    /// <inheritdoc/>
    public override Task<Proto.CancelWaitForAllResponse> CancelWaitForAll(Proto.CancelWaitForAllRequest request, ServerCallContext context) =>
        commands.CancelWaitForAllAsync(context.CancellationToken);

    /// <inheritdoc/>
    public override Task<Proto.LeaveResponse> Leave(Proto.LeaveRequest request, ServerCallContext context)
    {
        commands.Leave();
        return Task.FromResult(new Proto.LeaveResponse());
    }

    /// <inheritdoc/>
    public override Task<Proto.ReloadResponse> Reload(Proto.ReloadRequest request, ServerCallContext context) => commands.ReloadAsync(request.Apply, context.CancellationToken);

    /// <inheritdoc/>
    public override Task<Proto.WhoAmIResponse> WhoAmI(Proto.WhoAmIRequest request, ServerCallContext context) => Task.FromResult(whoAmI(context, request.Can));
}
