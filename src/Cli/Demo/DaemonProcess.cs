using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Membership.Cli.Demo;

/// <summary>One running <c>membershipd</c> that this demo started.</summary>
internal sealed class DaemonProcess : IDisposable
{
    private const int SigTerm = 15;
    private readonly Process _process;

    private DaemonProcess(Process process) => _process = process;

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>Has it ended?</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Starts the daemon of one node.</summary>
    public static async Task<DaemonProcess> StartAsync(ChildStarter starter, string program, DemoFolder folder, int node)
    {
        string[] arguments =
        [
            "--config", folder.Configuration, "--node", $"n{node}", "--state-dir", folder.State(node), "--socket", folder.Socket(node),
            "--log-format", "text", "--allow-fault-injection",
        ];
        return new DaemonProcess(await starter.StartAsync(program, arguments, folder.Log(node)));
    }

    /// <summary>SIGKILL: it ends at once and tells nobody.</summary>
    public void Kill() => _process.Kill();

    /// <summary>SIGTERM: it leaves cleanly.</summary>
    public void Terminate()
    {
        if (_process.HasExited) return;
        const int NoSuchProcess = 3; // it ended between the check and the call
        if (NativeKill(_process.Id, SigTerm) != 0 && Marshal.GetLastPInvokeError() is not NoSuchProcess and var error) throw new Win32Exception(error);
    }

    /// <summary>Waits for the end and returns the exit code (128 + signal when killed).</summary>
    public async Task<int> WaitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    /// <inheritdoc/>
    public void Dispose() => _process.Dispose();

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int NativeKill(int process, int signal);
}
