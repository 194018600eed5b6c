using System.Runtime.InteropServices;

namespace Membership.Daemon.Ring;

/// <summary>The system calls the ring thread needs that the base library does not offer: batches, ancillary data, exact waits.</summary>
/// <remarks>Structures and numbers are those of 64-bit Linux (x86-64 and arm64 agree on all of them). Nothing here allocates.</remarks>
internal static unsafe partial class Libc
{
    public const int AfInet = 2;
    public const int AfInet6 = 10;
    public const int SockStream = 1;
    public const int SockDgram = 2;
    public const int SockNonblockCloexec = 0x800 | 0x80000;

    public const int SolSocket = 1;
    public const int SoReuseAddr = 2;
    public const int SoError = 4;
    public const int SoSndBuf = 7;
    public const int SoRcvBuf = 8;
    public const int SoPriority = 12;
    public const int SoSndBufForce = 32;
    public const int SoRcvBufForce = 33;

    public const int SolIp = 0;
    public const int IpTos = 1;
    public const int IpMtuDiscover = 10;
    public const int IpRecvErr = 11;
    public const int SolIpv6 = 41;
    public const int Ipv6MtuDiscover = 23;
    public const int Ipv6RecvErr = 25;
    public const int Ipv6V6Only = 26;
    public const int Ipv6TrafficClass = 67;
    public const int PmtuDiscProbe = 3;

    public const int SolUdp = 17;
    public const int UdpSegment = 103;
    public const int UdpGro = 104;

    public const int MsgTrunc = 0x20;
    public const int MsgDontWait = 0x40;
    public const int MsgErrQueue = 0x2000;
    public const int MsgNoSignal = 0x4000;

    public const short PollIn = 0x1;
    public const short PollOut = 0x4;
    public const short PollErr = 0x8;
    public const short PollHup = 0x10;
    public const short PollRdHup = 0x2000;

    public const int Eintr = 4;
    public const int Eio = 5;
    public const int Eagain = 11;
    public const int Einval = 22;
    public const int Emsgsize = 90;
    public const int Eaddrnotavail = 99;
    public const int Enetdown = 100;
    public const int Enetunreach = 101;
    public const int Enobufs = 105;
    public const int Econnrefused = 111;
    public const int Ehostdown = 112;
    public const int Ehostunreach = 113;
    public const int Einprogress = 115;

    /// <summary>Bytes of a <c>sockaddr_in6</c>, the longest address used.</summary>
    public const int AddressBytes = 28;

    /// <summary>Bytes before the data of a control message.</summary>
    public const int ControlHeaderBytes = 16;

    private const int PrSetTimerSlack = 29;
    private const int PrioProcess = 0;
    private const uint CallingThread = 0;
    private const int SchedOther = 0;
    private const int SchedResetOnFork = 0x40000000;

    [StructLayout(LayoutKind.Sequential)]
    public struct IoVector
    {
        public void* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct BatchHeader
    {
        public MessageHeader Header;
        public uint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    /// <summary>The errno of the last call of this thread.</summary>
    public static int Errno => Marshal.GetLastPInvokeError();

    /// <summary>Name and number of an errno, for messages.</summary>
    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";

    /// <summary>Sets an integer option; false leaves the reason in <see cref="Errno"/>.</summary>
    public static bool TrySet(int descriptor, int level, int option, int value) => SetOption(descriptor, level, option, &value, sizeof(int)) == 0;

    /// <summary>Reads an integer option; 0 when it cannot be read.</summary>
    public static int Get(int descriptor, int level, int option)
    {
        var value = 0;
        var length = (uint)sizeof(int);
        return GetOption(descriptor, level, option, &value, &length) == 0 ? value : 0;
    }

    /// <summary>Lets waits of the calling thread end within microseconds of their time (the default slack is 50 us).</summary>
    public static void UseExactTimers() => _ = Prctl(PrSetTimerSlack, 1, 0, 0, 0);

    /// <summary>Sets the nice value of the calling thread alone (Linux keeps one per thread); false leaves the reason in <see cref="Errno"/>.</summary>
    /// <remarks>Threads begun by this one (a pool may need one while this thread completes a task) begin at 0 again.</remarks>
    public static bool TrySetNice(int nice)
    {
        var priority = 0;   // the one value of the ordinary policy
        return SetScheduler((int)CallingThread, SchedOther | SchedResetOnFork, &priority) == 0 && SetPriority(PrioProcess, CallingThread, nice) == 0;
    }

    /// <summary>The nice value of the calling thread.</summary>
    public static int GetNice() => GetPriority(PrioProcess, CallingThread);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(int descriptor, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    public static partial int Listen(int descriptor, int backlog);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    public static partial int Accept(int descriptor, void* address, uint* length, int flags);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    public static partial int Connect(int descriptor, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "sendmmsg", SetLastError = true)]
    public static partial int SendBatch(int descriptor, BatchHeader* messages, uint count, int flags);

    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveBatch(int descriptor, BatchHeader* messages, uint count, int flags, TimeSpec* timeout);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    public static partial nint Receive(int descriptor, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    public static partial int Poll(PollEntry* entries, nuint count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    public static partial int EventDescriptor(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(int descriptor, void* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int descriptor, void* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetOption(int descriptor, int level, int option, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static partial int GetOption(int descriptor, int level, int option, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler", SetLastError = true)]
    private static partial int SetScheduler(int thread, int policy, int* priority);

    [LibraryImport("libc", EntryPoint = "setpriority", SetLastError = true)]
    private static partial int SetPriority(int which, uint who, int nice);

    [LibraryImport("libc", EntryPoint = "getpriority")]
    private static partial int GetPriority(int which, uint who);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Prctl(int option, nuint second, nuint third, nuint fourth, nuint fifth);
}
