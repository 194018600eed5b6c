using System.ComponentModel;
using System.Diagnostics;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>A test that needs promtool; skipped, with the way to get it, where it is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PromtoolFactAttribute : FactAttribute
{
    public PromtoolFactAttribute()
    {
        if (!Promtool.IsThere) Skip = "promtool is missing (Debian: package prometheus; ./test.sh unpacks it below .build/tools).";
    }
}

/// <summary>Runs promtool.</summary>
internal static class Promtool
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static bool IsThere { get; } = Find();

    /// <summary>Its exit code and all it says.</summary>
    public static async Task<(int Code, string Text)> RunAsync(string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo("promtool") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException("promtool did not start");
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync().WaitAsync(Limit);
        return (process.ExitCode, await output + await errors);
    }

    private static bool Find()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("promtool", "--version") { RedirectStandardOutput = true, RedirectStandardError = true });
            return process is not null && process.WaitForExit(Limit) && process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;   // there is no such program
        }
    }
}
