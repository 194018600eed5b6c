using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Daemon.Witness.Client;

/// <summary>CLOCK_BOOTTIME: monotonic, and running while the machine is suspended, so that a lease ends in its sleep.</summary>
internal static partial class BootClock
{
    private const int ClockBootTime = 7; // time.h

    /// <summary>The present; comparable within one run of the machine only.</summary>
    public static Instant Now
    {
        get
        {
            if (clock_gettime(ClockBootTime, out var time) != 0) throw new PlatformNotSupportedException($"CLOCK_BOOTTIME cannot be read: errno {Marshal.GetLastPInvokeError()}");
            return new Instant((time.Seconds * 1_000_000_000) + time.Nanoseconds);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int clock_gettime(int clock, out TimeSpec time);

    // struct timespec of 64-bit Linux
    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
