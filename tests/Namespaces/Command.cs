using System.Diagnostics;

namespace Membership.Namespaces;

/// <summary>Runs programs of the operating system.</summary>
public static class Command
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Runs a program to its end and returns what it printed.</summary>
    /// <exception cref="CommandFailedException">It cannot be started, ended with another code than 0, or took longer than 20 s.</exception>
    public static string Run(string program, params ReadOnlySpan<string> arguments)
    {
        var (code, output, error) = Execute(program, arguments);
        if (code != 0) throw new CommandFailedException($"{program} {string.Join(' ', arguments.ToArray())}: exit {code}: {error.Trim()}");
        return output;
    }

    /// <summary>Runs a program to its end; its exit code and output are the result.</summary>
    /// <exception cref="CommandFailedException">It cannot be started or took longer than 20 s.</exception>
    public static (int Code, string Output, string Error) Execute(string program, params ReadOnlySpan<string> arguments) =>
        Execute(program, Limit, arguments);

    /// <summary>Runs a program that may take long to its end; its exit code and output are the result.</summary>
    /// <exception cref="CommandFailedException">It cannot be started or took longer than <paramref name="limit"/>.</exception>
    public static (int Code, string Output, string Error) Execute(string program, TimeSpan limit, params ReadOnlySpan<string> arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new CommandFailedException($"{program} cannot be started");
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill();
            throw new CommandFailedException($"{program} {string.Join(' ', arguments.ToArray())}: still running after {limit.TotalSeconds} s, killed");
        }

        return (process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    /// <summary>Full path of a program in PATH, or null.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Append("/usr/sbin").Append("/sbin")
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}

/// <summary>A program of the operating system did not do what it was asked for.</summary>
public sealed class CommandFailedException(string message) : Exception(message);
