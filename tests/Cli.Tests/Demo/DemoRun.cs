using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Membership.Cli.Tests.Demo;

/// <summary>A real <c>mbr demo</c> in a process of its own, with the daemon of the same build.</summary>
internal sealed partial class DemoRun : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan PollPace = TimeSpan.FromMilliseconds(50);
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Task _reading;

    private DemoRun(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    public int ProcessId => _process.Id;

    /// <summary>Everything it wrote so far.</summary>
    public string Output => string.Join('\n', _lines);

    /// <summary>The folder it works in, once it has said so.</summary>
    public string Folder => FolderName().Match(Output).Groups["path"].Value;

    /// <summary>The process ids of all daemons it started.</summary>
    public IReadOnlyList<int> Daemons =>
        [.. DaemonStarted().Matches(Output).Select(found => int.Parse(found.Groups["id"].Value, CultureInfo.InvariantCulture))];

    public static DemoRun Start(params string[] arguments)
    {
        var mbr = Path.Combine(AppContext.BaseDirectory, "mbr.dll");
        // A signal that this process was started to ignore (nohup, a job in the background) would be ignored by the demo too.
        var start = new ProcessStartInfo("env", ["--default-signal=HUP,INT,TERM", "dotnet", "exec", mbr, "demo", .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["MBR_DAEMON"] = DaemonOfThisBuild() },
        };
        return new DemoRun(Process.Start(start) ?? throw new InvalidOperationException($"{mbr} was not started"));
    }

    /// <summary>Waits until the output fulfils a condition.</summary>
    public async Task UntilAsync(Func<DemoRun, bool> condition, string what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition(this))
        {
            if (Stopwatch.GetElapsedTime(began) > Limit || (_process.HasExited && _reading.IsCompleted)) throw new TimeoutException($"{what}: not seen in\n{Output}");
            await Task.Delay(PollPace);
        }
    }

    /// <summary>Sends a signal by name.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for its end and returns the exit code.</summary>
    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Limit);
        await _reading;
        return _process.ExitCode;
    }

    /// <summary>Is there a process with this id that is a daemon of this demo?</summary>
    public bool IsAlive(int daemon)
    {
        try
        {
            return File.ReadAllText($"/proc/{daemon}/cmdline").Contains(Folder, StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Waits until none of its daemons runs.</summary>
    public async Task UntilGoneAsync()
    {
        var began = Stopwatch.GetTimestamp();
        while (Daemons.Any(IsAlive))
        {
            if (Stopwatch.GetElapsedTime(began) > Limit) throw new TimeoutException($"daemons still run after\n{Output}");
            await Task.Delay(PollPace);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _reading;
        _process.Dispose();
        if (Folder.Length > 0 && Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line) _lines.Enqueue(line);
    }

    // <root>/tests/Cli.Tests/bin/<configuration>/net10.0 -> <root>/src/Daemon/bin/<configuration>/net10.0
    private static string DaemonOfThisBuild([CallerFilePath] string thisFile = "")
    {
        var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile) ?? ".", "..", "..", ".."));
        var built = Path.GetRelativePath(Path.Combine(root, "tests", "Cli.Tests", "bin"), AppContext.BaseDirectory);
        return Path.Combine(root, "src", "Daemon", "bin", built, "membershipd");
    }

    [GeneratedRegex(@" in (?<path>/\S+/membership-demo\.\S+?), seed")]
    private static partial Regex FolderName();

    [GeneratedRegex(@"n\d started \(process (?<id>\d+)\)")]
    private static partial Regex DaemonStarted();
}
