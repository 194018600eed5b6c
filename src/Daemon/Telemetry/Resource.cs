using Membership.Daemon.Services;

namespace Membership.Daemon.Telemetry;

/// <summary>Who is measured, as OpenTelemetry's resource attributes.</summary>
internal static class Resource
{
    /// <summary>Name of the service, for all daemons of all clusters.</summary>
    public const string ServiceName = "membershipd";

    /// <summary>In a fixed order.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Of(DaemonIdentity identity) =>
    [
        new("service.name", ServiceName),
        new("service.version", DaemonVersion.Text),
        new("service.instance.id", $"{identity.Configuration.Cluster}/{identity.Self.Name}/{ProtoViews.Boot(identity.Boot.Short)}"),
        new("membership.cluster.name", identity.Configuration.Cluster),
        new("membership.node.name", identity.Self.Name),
    ];
}
