using System.Collections.Concurrent;
using System.Diagnostics;

namespace Membership.Cli.Demo;

/// <summary>Starts child processes from one thread that lives as long as this object.</summary>
/// <remarks>
/// The children ask the kernel for SIGKILL when their parent dies (<c>setpriv --pdeathsig</c>), so that not even a killed demo leaves
/// daemons behind. The kernel means the parent <em>thread</em>, so they must not be started from a pool thread, which may end at any time.
/// <c>setsid</c> keeps Ctrl-C on the terminal from reaching them: the demo stops them in its own order.
/// </remarks>
internal sealed class ChildStarter : IDisposable
{
    // Both programs are of util-linux. Where they are missing the child runs without that protection. exec keeps the process id throughout.
    private const string Script =
        "log=$1; shift; " +
        "command -v setpriv >/dev/null && set -- setpriv --pdeathsig KILL \"$@\"; " +
        "command -v setsid >/dev/null && set -- setsid \"$@\"; " +
        "exec \"$@\" </dev/null >>\"$log\" 2>&1";

    private readonly BlockingCollection<Action> _requests = [];
    private readonly Thread _thread;

    /// <summary>Starts the thread.</summary>
    public ChildStarter()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "child starter" };
        _thread.Start();
    }

    /// <summary>Starts a program with its output appended to a log file.</summary>
    public async Task<Process> StartAsync(string program, IReadOnlyList<string> arguments, string log)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false };
        foreach (var argument in (IEnumerable<string>)["-c", Script, "sh", log, program, .. arguments]) start.ArgumentList.Add(argument);
        _requests.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start) ?? throw new InvalidOperationException("the process was not started"));
            }
            catch (Exception error)
            {
                started.SetException(error);
            }
        });
        return await started.Task;
    }

    /// <summary>Ends the thread; children that still run are killed by that.</summary>
    public void Dispose()
    {
        _requests.CompleteAdding();
        _thread.Join();
        _requests.Dispose();
    }

    private void Run()
    {
        foreach (var request in _requests.GetConsumingEnumerable()) request();
    }
}
