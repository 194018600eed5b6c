using Membership.Cli.Errors;

namespace Membership.Cli.Demo;

/// <summary>Finds the daemon's program: named by MBR_DAEMON, beside mbr, or in PATH.</summary>
internal static class DaemonProgram
{
    private const string Name = "membershipd";

    /// <summary>The path, or the error that says where it was looked for.</summary>
    public static string Find(CliHost host)
    {
        List<string> places = host.Environment("MBR_DAEMON") is { Length: > 0 } named ? [named] :
        [
            Path.Combine(AppContext.BaseDirectory, Name),
            Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", Name, Name)),
            .. (host.Environment("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, Name)),
        ];
        return places.Find(File.Exists) ?? throw new CliException(ErrorCatalogue.DaemonProgramMissing, ("places", string.Join(", ", places)));
    }
}
