using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Membership.Daemon;

/// <summary>The console formatters of the platform, on standard error: standard output stays free.</summary>
internal static class LogSetup
{
    /// <summary>Lines waiting for a slow terminal; more are dropped, because the daemon must not wait for its log.</summary>
    private const int QueuedLinesMax = 4096;

    /// <summary>Loggers of one format and level.</summary>
    public static ILoggerFactory Create(LogFormat format, LogLevel level) => LoggerFactory.Create(logging =>
    {
        logging.SetMinimumLevel(level);
        logging.AddFilter("Microsoft", level < LogLevel.Information ? level : LogLevel.Warning);
        switch (format)
        {
            case LogFormat.Json:
                logging.AddJsonConsole(options =>
                {
                    options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
                    options.UseUtcTimestamp = true;
                });
                break;
            case LogFormat.Systemd:
                logging.AddSystemdConsole();
                break;
            default:
                logging.AddSimpleConsole(options =>
                {
                    options.SingleLine = true;
                    options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
                    options.UseUtcTimestamp = true;
                    options.ColorBehavior = LoggerColorBehavior.Disabled;
                });
                break;
        }
        logging.Services.Configure<ConsoleLoggerOptions>(options =>
        {
            options.LogToStandardErrorThreshold = LogLevel.Trace;
            options.MaxQueueLength = QueuedLinesMax;
            options.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
    });

    /// <summary>systemd below a service manager that takes the log, else text.</summary>
    public static LogFormat Default => Environment.GetEnvironmentVariable("JOURNAL_STREAM") is null ? LogFormat.Text : LogFormat.Systemd;
}
