using Grpc.Core;
using Membership.Daemon.Access;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>AdminService of proto/membership/v1/admin.proto.</summary>
internal sealed class AdminApi(AccessControl access) : Proto.AdminService.AdminServiceBase
{
    /// <inheritdoc/>
    public override Task<Proto.WhoAmIResponse> WhoAmI(Proto.WhoAmIRequest request, ServerCallContext context) => Task.FromResult(access.Describe(context, request.Can));
}
