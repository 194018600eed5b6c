using System.Diagnostics;
using Membership.Daemon.Configuration;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Witness.Server;

/// <summary>Lines that strangers can provoke: at most ten a second; how many were left out is told with the next one. Safe for several threads.</summary>
internal sealed class RefusalLog(ILogger logger)
{
    /// <summary>More in one second are counted, not written.</summary>
    public const int LinesPerSecondMax = 10;

    /// <summary>Names in certificates are chosen by those who come with them.</summary>
    private const int WhyCharactersMax = 400;

    private readonly Lock _gate = new();
    private long _second = Stopwatch.GetTimestamp();
    private int _written;
    private long _lost;

    /// <summary>Somebody was refused.</summary>
    public void Add(string remote, string why)
    {
        long lost;
        lock (_gate)
        {
            if (Stopwatch.GetElapsedTime(_second) >= TimeSpan.FromSeconds(1)) (_second, _written) = (Stopwatch.GetTimestamp(), 0);
            if (_written >= LinesPerSecondMax)
            {
                _lost++;
                return;
            }

            _written++;
            (lost, _lost) = (_lost, 0);
        }

        if (lost > 0) WitnessLog.LeftOut(logger, lost, LinesPerSecondMax);
        WitnessLog.Refused(logger, Printable.Text(remote), Printable.Text(why, WhyCharactersMax));
    }
}
