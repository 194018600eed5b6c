using Membership.V1;

namespace Membership.Daemon.Access;

/// <summary>Roles as the configuration and messages write them.</summary>
internal static class RoleText
{
    /// <summary>The roles that can be granted, lowest first.</summary>
    public static IReadOnlyList<Role> Grantable { get; } = [Role.Read, Role.App, Role.Operate, Role.Admin];

    /// <summary>read, app, operate or admin; none for nobody's.</summary>
    public static string Of(Role role) => role == Role.Unspecified ? "none" : role.ToString().ToLowerInvariant();
}
