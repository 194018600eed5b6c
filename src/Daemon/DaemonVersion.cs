using System.Reflection;

namespace Membership.Daemon;

/// <summary>The version of this build.</summary>
internal static class DaemonVersion
{
    /// <summary>As in 0.1.0.</summary>
    public static string Text { get; } =
        typeof(DaemonVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";
}
