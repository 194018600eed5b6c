using System.Reflection;

namespace Membership.Namespaces;

/// <summary>Finds the programs under test: what <c>./membershipd</c> and <c>./mbr</c> run, built now if the sources are newer.</summary>
public static class DaemonProgram
{
    /// <summary>Root of the repository this assembly was built in.</summary>
    public static string RepositoryRoot { get; } = typeof(DaemonProgram).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == nameof(RepositoryRoot)).Value ?? throw new InvalidOperationException("the build left no repository root");

    private static readonly Lazy<string> Build = new(() =>
    {
        var code = Command.Execute(Path.Combine(RepositoryRoot, "scripts", "launch.sh"), TimeSpan.FromMinutes(10), "--build-only");
        if (code.Code != 0) throw new CommandFailedException($"the daemon cannot be built: {code.Error}");
        return Path.Combine(RepositoryRoot, ".build", "current");
    });

    /// <summary>The daemon; the environment variable MEMBERSHIPD names another one.</summary>
    public static string Daemon => Environment.GetEnvironmentVariable("MEMBERSHIPD") ?? Path.Combine(Build.Value, "membershipd", "membershipd");

    /// <summary>The command; the environment variable MBR names another one.</summary>
    public static string Cli => Environment.GetEnvironmentVariable("MBR") ?? Path.Combine(Build.Value, "mbr", "mbr");

    /// <summary>Where the runtime is, for programs started without a login environment.</summary>
    public static string? DotnetRoot
    {
        get
        {
            if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root) return root;
            if (Command.Find("dotnet") is not { } dotnet) return null;
            var target = File.ResolveLinkTarget(dotnet, returnFinalTarget: true)?.FullName ?? dotnet;
            return Path.GetDirectoryName(target);
        }
    }
}
