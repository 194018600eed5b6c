using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Membership.Cli.Checks;

/// <summary>What can be seen on this machine without a daemon: addresses and ports, the state directory, the clock.</summary>
internal static class MachineFindings
{
    /// <summary>Timers of the measurement of stalls.</summary>
    public const int StallSamples = 50;

    /// <summary>Room that the state directory should have, bytes.</summary>
    public const long FreeBytesMin = 16 * 1024 * 1024;

    private static readonly TimeSpan StallPace = TimeSpan.FromMilliseconds(10);
    private static readonly string[] SlowClocks = ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"];

    /// <summary>Each link of the node: is its address on this machine, and is its port free, or held by a running daemon.</summary>
    public static IEnumerable<Finding> Ports(ConfiguredNode node, bool daemonRuns)
    {
        for (var index = 0; index < node.Links.Count; index++)
        {
            var name = $"link {(char)('A' + index)} {node.Links[index]}";
            yield return !IPEndPoint.TryParse(node.Links[index], out var address)
                ? Finding.Skipped("port", $"{name} is no address")
                : Port(name, address, daemonRuns);
        }
    }

    /// <summary>The state directory: there, closed to others, with room.</summary>
    public static Finding StateDirectory(string path, bool daemonRuns)
    {
        try
        {
            if (!Directory.Exists(path))
                return daemonRuns
                    ? Finding.Skipped("state", $"{path} is not there, though a daemon runs: it uses another (--state-dir)")
                    : Finding.Good("state", $"{path} is not there; the daemon makes it at its first start");
            var mode = File.GetUnixFileMode(path);
            const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if ((mode & Others) != 0)
                return Finding.Warning("state", $"{path} has mode {Convert.ToString((int)mode, 8)}, open to others than its owner", $"chmod 0700 {path}");
            var free = new DriveInfo(path).AvailableFreeSpace;
            return free < FreeBytesMin
                ? Finding.Bad("state", $"{path} has room for {free / 1024} KiB only; the daemon ends when it cannot write", "make room on that file system")
                : Finding.Good("state", $"{path} is closed to others and has room");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Finding.Skipped("state", $"{path} cannot be looked at: {error.Message}");
        }
    }

    /// <summary>The kernel's clock source; slow ones cost a system call for each look.</summary>
    public static Finding ClockSource(string file = "/sys/devices/system/clocksource/clocksource0/current_clocksource")
    {
        try
        {
            var source = File.ReadAllText(file).Trim();
            return SlowClocks.Contains(source)
                ? Finding.Warning("clock", $"the clock source is {source}, which is slow", "look why the kernel does not use tsc (dmesg | grep -i clocksource), and the settings of the hypervisor")
                : Finding.Good("clock", $"the clock source is {source}");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Finding.Skipped("clock", $"the clock source cannot be read: {error.Message}");
        }
    }

    /// <summary>Measures for half a second how late a timer fires here.</summary>
    public static async Task<Finding> StallsAsync(TimeProvider time, double linkDownMs, CancellationToken cancellationToken)
    {
        var worst = TimeSpan.Zero;
        for (var sample = 0; sample < StallSamples; sample++)
        {
            var started = time.GetTimestamp();
            await Task.Delay(StallPace, time, cancellationToken);
            var late = time.GetElapsedTime(started) - StallPace;
            worst = late > worst ? late : worst;
        }
        return Stalls(worst, linkDownMs);
    }

    /// <summary>Judges the latest timer against the time after which a silent node counts as lost.</summary>
    public static Finding Stalls(TimeSpan worst, double linkDownMs)
    {
        var limit = linkDownMs > 0 ? linkDownMs : 600; // of the profile lan
        var text = string.Create(CultureInfo.InvariantCulture, $"the latest of {StallSamples} timers was {worst.TotalMilliseconds:0.0} ms late; a node is lost after {limit:0} ms of silence");
        return worst.TotalMilliseconds >= limit / 4
            ? Finding.Warning("stalls", text, "look for load, swapping or a paused virtual machine (uptime; vmstat 1), or choose slower timing")
            : Finding.Good("stalls", text);
    }

    private static Finding Port(string name, IPEndPoint address, bool daemonRuns)
    {
        try
        {
            using var datagrams = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            datagrams.Bind(address);
            using var tripwire = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            tripwire.Bind(address);
            return daemonRuns
                ? Finding.Warning("port", $"{name} is free, though a daemon runs: it is not bound there", "compare the configuration with that of the running daemon, and restart it")
                : Finding.Good("port", $"{name} is free");
        }
        catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return daemonRuns
                ? Finding.Good("port", $"{name} is bound")
                : Finding.Bad("port", $"{name} is taken by another program", $"find it with ss -lntup | grep :{address.Port}, or choose another port on all nodes");
        }
        catch (SocketException missing) when (missing.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            return Finding.Bad("port", $"{name}: this machine does not have the address", "see ip address; is --node right?");
        }
        catch (SocketException other)
        {
            return Finding.Skipped("port", $"{name}: {other.Message}");
        }
    }
}
