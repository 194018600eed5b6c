using System.Globalization;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>What a daemon has used so far.</summary>
/// <param name="CpuMicroseconds">User and system time of its process; null when it cannot be read.</param>
/// <param name="Packets">Datagrams it sent, or frames where it does not count datagrams; null when it counts neither.</param>
internal sealed record DaemonCost(double? CpuMicroseconds, long? Packets)
{
    // proc(5): /proc/PID/stat, fields 14 (utime) and 15 (stime), counted behind the command name, which may hold anything.
    private const int UserTimeAfterName = 11;
    private const int SystemTimeAfterName = 12;

    /// <summary>Clock ticks of /proc a second; fixed at 100 for every Linux that .NET runs on (USER_HZ).</summary>
    private const double TicksPerSecond = 100;

    /// <summary>Reads the cost of a daemon now.</summary>
    public static DaemonCost Of(int? processId, GetStatusResponse status) =>
        new(processId is { } id ? CpuOf(id) : null, Sum(status, "datagrams_sent") ?? Sum(status, "frames_sent"));

    /// <summary>What was used since <paramref name="earlier"/>.</summary>
    public DaemonCost Since(DaemonCost earlier) => new(CpuMicroseconds - earlier.CpuMicroseconds, Packets - earlier.Packets);

    /// <summary>User and system time out of the text of /proc/PID/stat, microseconds; null when it is not such a text.</summary>
    public static double? ParseStat(string stat)
    {
        var name = stat.LastIndexOf(')');
        if (name < 0)
            return null;
        var fields = stat[(name + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > SystemTimeAfterName
            && long.TryParse(fields[UserTimeAfterName], NumberStyles.None, CultureInfo.InvariantCulture, out var user)
            && long.TryParse(fields[SystemTimeAfterName], NumberStyles.None, CultureInfo.InvariantCulture, out var system)
            ? (user + system) * (1e6 / TicksPerSecond)
            : null;
    }

    private static double? CpuOf(int processId)
    {
        try
        {
            return ParseStat(File.ReadAllText($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/stat"));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // another machine's process, or /proc is hidden: reported as not measured
        }
    }

    // Counters may be kept per link, with the link in front of the name.
    private static long? Sum(GetStatusResponse status, string ending)
    {
        var counters = status.Counters.Where(counter => counter.Key.EndsWith(ending, StringComparison.Ordinal)).ToList();
        return counters.Count == 0 ? null : counters.Sum(static counter => counter.Value);
    }
}
