using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Membership.Namespaces;

/// <summary>The system calls that .NET has no name for.</summary>
internal static partial class Native
{
    public const int SignalKill = 9;
    public const int SignalTerminate = 15;
    public const int SignalContinue = 18;
    public const int SignalStop = 19;

    private const int NewNetwork = 0x40000000;

    /// <summary>Sends a signal to a process; false when the process is gone.</summary>
    public static bool Signal(int pid, int signal)
    {
        const int NoSuchProcess = 3;
        if (kill(pid, signal) == 0) return true;
        var error = Marshal.GetLastPInvokeError();
        return error == NoSuchProcess ? false : throw new Win32Exception(error, $"cannot signal process {pid}");
    }

    /// <summary>Moves the calling thread into a network namespace.</summary>
    public static void EnterNetwork(SafeFileHandle network)
    {
        if (setns(network, NewNetwork) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), "cannot enter the network namespace");
    }

    /// <summary>The effective user id.</summary>
    public static uint EffectiveUser() => geteuid();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(SafeFileHandle handle, int kind);

    [LibraryImport("libc")]
    private static partial uint geteuid();
}
