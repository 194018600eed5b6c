using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Membership.Daemon.Configuration;

namespace Membership.Daemon.Witness.Client;

/// <summary>Runs the heuristics commands: all at once, each a program with its arguments and a bare environment, never through a shell.</summary>
internal static class HeuristicsRunner
{
    /// <summary>What a command's search path is, whatever the daemon's is.</summary>
    private const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Null when every command ended with exit code 0 in time; otherwise the first that did not, and how it ended.</summary>
    /// <param name="options">The commands, and how long each may take.</param>
    /// <param name="time">Measures that.</param>
    /// <param name="cancellationToken">Ends the wait; the commands are killed.</param>
    public static async Task<(string Command, string Outcome)?> RunAsync(HeuristicsOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var outcomes = await Task.WhenAll(options.Commands.Select(command => RunAsync(command, options.Timeout, time, cancellationToken)));
        for (var i = 0; i < outcomes.Length; i++)
        {
            if (outcomes[i] is { } outcome) return (Printable.Text(string.Join(' ', options.Commands[i]), 200), outcome);
        }

        return null;
    }

    private static async Task<string?> RunAsync(IReadOnlyList<string> command, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command[0]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        foreach (var argument in command.Skip(1)) start.ArgumentList.Add(argument);
        start.Environment.Clear();
        start.Environment["PATH"] = SearchPath;
        start.Environment["LC_ALL"] = "C";
        using var process = new Process { StartInfo = start };
        using var late = new CancellationTokenSource(timeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            process.Start();
        }
        catch (Win32Exception missing)
        {
            return $"cannot be started: {missing.Message}";
        }

        process.StandardInput.Close();
        try
        {
            // What it prints is nobody's; but a full pipe must not stop it.
            await Task.WhenAll(DrainAsync(process.StandardOutput, limit.Token), DrainAsync(process.StandardError, limit.Token), process.WaitForExitAsync(limit.Token));
            return process.ExitCode == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"ended with exit code {process.ExitCode}");
        }
        catch (OperationCanceledException)
        {
            Kill(process);
            cancellationToken.ThrowIfCancellationRequested();
            return $"did not end within {Units.Text(timeout)} and was killed";
        }
    }

    private static async Task DrainAsync(StreamReader from, CancellationToken cancellationToken)
    {
        var buffer = new char[1024];
        while (await from.ReadAsync(buffer, cancellationToken) > 0)
        {
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It ended by itself a moment ago.
        }
    }
}
