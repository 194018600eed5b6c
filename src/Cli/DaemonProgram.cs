using System.ComponentModel;
using System.Diagnostics;
using Membership.Cli.Errors;

namespace Membership.Cli;

/// <summary>Finds and runs the daemon's program, which alone knows what a good configuration is.</summary>
internal static class DaemonProgram
{
    private const string Name = "membershipd";
    private const string SolutionFile = "Membership.sln";

    /// <summary>How long it may take: a launcher in a source tree may have to build it first.</summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(5);

    /// <summary>The program: MBR_DAEMON, else beside mbr, else installed, else the launcher of the source tree.</summary>
    public static string Find(CliHost host)
    {
        if (host.Environment("MBR_DAEMON") is { Length: > 0 } named)
            return File.Exists(named) ? named : throw Missing([named]);
        List<string> places =
        [
            Path.Combine(host.ProgramFolder, Name),
            Path.GetFullPath(Path.Combine(host.ProgramFolder, "..", Name, Name)),
            $"/usr/sbin/{Name}",
        ];
        if (SourceTree(host.ProgramFolder) is { } tree)
            places.Add(Path.Combine(tree, Name));
        return places.Find(File.Exists) ?? throw Missing(places);
    }

    /// <summary>Runs it, passes its output through, and returns its exit code.</summary>
    public static Task<int> RunAsync(CliHost host, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        RunAsync(host, arguments, host.Output, host.Error, cancellationToken);

    /// <summary>Runs it and returns what it writes to standard output.</summary>
    public static async Task<byte[]> ReadAsync(CliHost host, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        using var output = new MemoryStream();
        await RunAsync(host, arguments, output, TextWriter.Null, cancellationToken);
        return output.ToArray();
    }

    private static async Task<int> RunAsync(CliHost host, IReadOnlyList<string> arguments, Stream output, TextWriter errors, CancellationToken cancellationToken)
    {
        var program = Find(host);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Start(program, start);
        using var limit = new CancellationTokenSource(TimeLimit, host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            await Task.WhenAll(
                process.StandardOutput.BaseStream.CopyToAsync(output, either.Token),
                CopyAsync(process.StandardError, errors, either.Token));
            await process.WaitForExitAsync(either.Token);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            if (cancellationToken.IsCancellationRequested)
                throw;
            throw new CliException(ErrorCatalogue.DaemonProgramFailed, ("program", program), ("detail", $"it did not end within {TimeLimit.TotalMinutes} minutes"));
        }
    }

    private static Process Start(string program, ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new CliException(ErrorCatalogue.DaemonProgramFailed, ("program", program), ("detail", "no process was started"));
        }
        catch (Win32Exception error)
        {
            throw new CliException(ErrorCatalogue.DaemonProgramFailed, error, ("program", program), ("detail", error.Message));
        }
    }

    private static async Task CopyAsync(StreamReader from, TextWriter to, CancellationToken cancellationToken)
    {
        while (await from.ReadLineAsync(cancellationToken) is { } line)
            await to.WriteLineAsync(line.AsMemory(), cancellationToken);
    }

    private static string? SourceTree(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, SolutionFile)))
                return at.FullName;
        return null;
    }

    private static CliException Missing(IReadOnlyList<string> places) =>
        new(ErrorCatalogue.DaemonProgramMissing, ("places", string.Join(", ", places)));
}
