using System.Diagnostics;
using System.Reflection;
using Membership.Client;
using Membership.Namespaces;

namespace Membership.Samples.Tests;

/// <summary>A program that runs against one daemon: what it prints, line by line, and what is typed into it.</summary>
internal sealed class SampleRun : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Process _process;
    private readonly string _name;
    private readonly List<string> _lines = [];

    private SampleRun(string name, Process process)
    {
        _name = name;
        _process = process;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines) return [.. _lines];
        }
    }

    /// <summary>Starts a sample of samples/.</summary>
    public static SampleRun Start(string sample, string socket, params string[] arguments)
    {
        string program = Path.Combine(DaemonProgram.RepositoryRoot, "samples", sample, "bin", Metadata("Configuration"), "net10.0", $"{sample}.dll");
        return Start(sample, new ProcessStartInfo("dotnet", [program, .. arguments]) { Environment = { [MembershipClientOptions.EndpointVariable] = $"unix://{socket}" } });
    }

    /// <summary>Types a command into a shell, in a folder; it says by itself which daemon it means.</summary>
    public static SampleRun StartCommand(string command, string folder) =>
        Start(command.Trim(), new ProcessStartInfo("bash", ["-euc", command]) { WorkingDirectory = folder });

    private static SampleRun Start(string name, ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        // What the test's own build told its environment must not steer another build.
        foreach (string variable in start.Environment.Keys.Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList()) start.Environment.Remove(variable);
        start.Environment.Remove("NUGET_PACKAGES");
        return new SampleRun(name, Process.Start(start) ?? throw new InvalidOperationException($"{name} does not start"));
    }

    /// <summary>What the build wrote into this assembly.</summary>
    public static string Metadata(string key) => typeof(SampleRun).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value ?? "";

    public async Task TypeAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Waits for a line, printed before or yet to come.</summary>
    public Task PrintsAsync(string line) => PrintsAsync($"\"{line}\"", printed => printed == line);

    public Task PrintsAsync(string what, Func<string, bool> condition) => HoldsAsync(what, lines => lines.Any(condition));

    /// <summary>Waits until the last line is this one.</summary>
    public Task EndsWithAsync(string line) => HoldsAsync($"\"{line}\" last", lines => lines is [.., var last] && last == line);

    /// <summary>SIGTERM, then the end.</summary>
    public async Task StopAsync()
    {
        using var stop = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await stop.WaitForExitAsync();
        await _process.WaitForExitAsync().WaitAsync(Patience);
        if (_process.ExitCode != 0) throw new InvalidOperationException($"{_name} ended with {_process.ExitCode}: {string.Join('\n', Lines)}");
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task HoldsAsync(string what, Func<IReadOnlyList<string>, bool> condition) =>
        await Eventually.HoldsAsync($"{_name} print {what}", Patience, () => condition(Lines), () => string.Join('\n', Lines));

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_lines) _lines.Add(line);
    }
}
