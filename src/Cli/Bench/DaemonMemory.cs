using System.Globalization;

namespace Membership.Cli.Bench;

/// <summary>Watches how far a daemon's resident memory rises.</summary>
internal static class DaemonMemory
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(200);

    /// <summary>The largest rise above the first look until cancelled, bytes; null when it cannot be read.</summary>
    public static async Task<long?> GrowthAsync(int? processId, CancellationToken cancellationToken)
    {
        if (Resident(processId) is not { } first) return null;
        long growth = 0;
        using var pace = new PeriodicTimer(Pace, TimeProvider.System);
        try
        {
            while (await pace.WaitForNextTickAsync(cancellationToken))
                growth = Math.Max(growth, (Resident(processId) ?? first) - first);
        }
        catch (OperationCanceledException)
        {
            // the measured time is over
        }
        return growth;
    }

    // proc(5): the second number of /proc/PID/statm is the resident set, in pages.
    private static long? Resident(int? processId)
    {
        if (processId is not { } id) return null;
        try
        {
            var pages = File.ReadAllText($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/statm").Split(' ')[1];
            return long.Parse(pages, CultureInfo.InvariantCulture) * Environment.SystemPageSize;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // another machine's process, or /proc is hidden: reported as not measured
        }
    }
}
