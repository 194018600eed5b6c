using Google.Protobuf;
using Grpc.Core;
using Membership.Daemon.Configuration;
using Membership.Daemon.Telemetry;
using Microsoft.Extensions.Logging;
using Status = Grpc.Core.Status;

namespace Membership.Daemon.Access;

/// <summary>One line for each call that changes something, and for calls that were refused: who, what, with which arguments, how it ended.</summary>
/// <remarks>Whoever knocks all day cannot fill the log: refusals of one caller and method are folded, and there are at most ten lines a second of them.
/// Safe for several threads.</remarks>
internal sealed class AuditLog(ILogger logger, TimeProvider time, DaemonCounters counters)
{
    private const int ArgumentCharactersMax = 300;

    /// <summary>Larger requests are told by their size.</summary>
    private const int ArgumentBytesMax = 4096;

    private const int OutcomeCharactersMax = 200;

    /// <summary>What a call of a method that does not exist needs.</summary>
    public const string NoMethod = "none";

    private readonly Lock _gate = new();
    private readonly LineFolding _folding = new(time);

    /// <summary>A call that changes something has ended.</summary>
    public void Called(string who, string role, string method, string arguments, string outcome) => AccessLog.Called(logger, who, role, method, arguments, outcome);

    /// <summary>A call was refused. Counted here and nowhere else: by method (those that do not exist together) and the caller's role.</summary>
    public void Denied(string who, string role, string method, string needed)
    {
        var what = $"{who} {method}";
        counters.Denied(needed == NoMethod ? "unknown" : method, role);
        lock (_gate)
        {
            TellFolded(_folding.Due());
            if (_folding.Admit(what)) AccessLog.Denied(logger, who, role, Printable.Text(method, OutcomeCharactersMax), needed);
        }
    }

    /// <summary>A connection was refused before it could make a call.</summary>
    public void ConnectionRefused(string remote, string why)
    {
        var source = remote.LastIndexOf(':') is > 0 and var port ? remote[..port] : remote;   // each try has a port of its own
        lock (_gate)
        {
            TellFolded(_folding.Due());
            if (_folding.Admit($"a connection from {source}: {Printable.Text(why, OutcomeCharactersMax)}")) AccessLog.ConnectionRefused(logger, remote, Printable.Text(why, OutcomeCharactersMax));
        }
    }

    /// <summary>Tells what was folded and is due; called about once a second.</summary>
    public void Flush()
    {
        lock (_gate) TellFolded(_folding.Due());
    }

    /// <summary>Tells everything that was folded, at the end.</summary>
    public void FlushAll()
    {
        lock (_gate) TellFolded(_folding.All());
    }

    /// <summary>The arguments of a request on one line.</summary>
    public static string Arguments(object request)
    {
        if (request is not IMessage message) return "";
        var bytes = message.CalculateSize();
        return bytes > ArgumentBytesMax ? $"{bytes} bytes" : Printable.Text(JsonFormatter.Default.Format(message), ArgumentCharactersMax);
    }

    /// <summary>How a call ended on one line.</summary>
    public static string Outcome(Status status) =>
        status.StatusCode == StatusCode.OK ? "done" : $"{status.StatusCode}: {Printable.Text(status.Detail, OutcomeCharactersMax)}";

    private void TellFolded(IReadOnlyList<LineFolding.Folded> lines)
    {
        foreach (var line in lines) AccessLog.Repeated(logger, line.What, line.Count, line.Seconds);
        var lost = _folding.TakeLost();
        if (lost == 0) return;
        counters.AuditDropped(lost);
        AccessLog.LeftOut(logger, lost, LineFolding.LinesPerSecondMax);
    }
}
