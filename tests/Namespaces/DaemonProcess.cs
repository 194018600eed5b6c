using System.Diagnostics;

namespace Membership.Namespaces;

/// <summary>One run of <c>membershipd</c>: its process id, its log and how it ended.</summary>
public sealed class DaemonProcess : IDisposable
{
    private readonly Process _process;
    private readonly List<(TimeSpan At, string Text)> _lines = [];
    private readonly long _started = Stopwatch.GetTimestamp();
    private bool _paused;

    private DaemonProcess(Process process) => _process = process;

    /// <summary>Starts the daemon inside a namespace, or in this one when <paramref name="networkNamespace"/> is null.</summary>
    public static DaemonProcess Start(string? networkNamespace, params ReadOnlySpan<string> arguments)
    {
        var start = new ProcessStartInfo(networkNamespace is null ? DaemonProgram.Daemon : "ip")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        if (DaemonProgram.DotnetRoot is { } root) start.Environment["DOTNET_ROOT"] = root;
        // "ip netns exec" becomes the program, so the process id is the daemon's.
        if (networkNamespace is not null)
            foreach (var part in new[] { "netns", "exec", networkNamespace, DaemonProgram.Daemon }) start.ArgumentList.Add(part);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        var process = new Process { StartInfo = start };
        var daemon = new DaemonProcess(process);
        process.OutputDataReceived += (_, line) => daemon.Keep(line.Data);
        process.ErrorDataReceived += (_, line) => daemon.Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return daemon;
    }

    /// <summary>Process id.</summary>
    public int Id => _process.Id;

    /// <summary>True until the process has ended.</summary>
    public bool IsRunning => !_process.HasExited;

    /// <summary>Everything it wrote to standard output and standard error so far, with the time since its start.</summary>
    public IReadOnlyList<(TimeSpan At, string Text)> Lines
    {
        get
        {
            lock (_lines) return [.. _lines];
        }
    }

    /// <summary>The log as one text.</summary>
    public string Log => string.Join('\n', Lines.Select(line => $"{line.At.TotalSeconds,8:0.000} {line.Text}"));

    /// <summary>Ends it at once, as a crash would (SIGKILL).</summary>
    public void Kill() => Native.Signal(Id, Native.SignalKill);

    /// <summary>Asks it to leave (SIGTERM).</summary>
    public void Terminate() => Native.Signal(Id, Native.SignalTerminate);

    /// <summary>Freezes it (SIGSTOP).</summary>
    public void Pause()
    {
        _paused = Native.Signal(Id, Native.SignalStop);
    }

    /// <summary>Lets it go on (SIGCONT).</summary>
    public void Resume()
    {
        Native.Signal(Id, Native.SignalContinue);
        _paused = false;
    }

    /// <summary>Waits for the end and returns the exit code.</summary>
    /// <exception cref="TimeoutException">It still runs; the message has the end of its log.</exception>
    public async Task<int> ExitAsync(TimeSpan deadline)
    {
        using var limit = new CancellationTokenSource(deadline);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"daemon {Id} still runs after {deadline.TotalSeconds} s; the end of its log:\n{string.Join('\n', Lines.TakeLast(10).Select(line => line.Text))}");
        }

        return _process.ExitCode;
    }

    /// <summary>User and system time so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Resident memory in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Ends the process if it still runs, and waits until it is gone.</summary>
    public void Dispose()
    {
        if (IsRunning)
        {
            if (_paused) Resume();
            Kill();
        }

        _process.WaitForExit();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_lines) _lines.Add((Stopwatch.GetElapsedTime(_started), line));
    }
}
