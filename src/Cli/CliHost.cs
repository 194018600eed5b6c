using System.Text;
using Membership.Cli.Daemons;
using Membership.Cli.Text;

namespace Membership.Cli;

/// <summary>Everything of this process and machine that a command may touch; a test passes its own.</summary>
internal sealed class CliHost
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Builds a host on three streams; text written to them is UTF-8 and leaves at once.</summary>
    public CliHost(Stream input, Stream output, Stream error)
    {
        Input = input;
        Output = output;
        Out = new StreamWriter(output, Utf8) { AutoFlush = true, NewLine = "\n" };
        Error = new StreamWriter(error, Utf8) { AutoFlush = true, NewLine = "\n" };
    }

    /// <summary>Standard input.</summary>
    public Stream Input { get; }

    /// <summary>Standard output for bulk writers; <see cref="Out"/> keeps nothing back, so the two may be mixed.</summary>
    public Stream Output { get; }

    /// <summary>Standard output as text.</summary>
    public TextWriter Out { get; }

    /// <summary>Standard error as text.</summary>
    public TextWriter Error { get; }

    /// <summary>True when standard input is not a terminal, so that a payload may come from it.</summary>
    public bool InputIsRedirected { get; init; }

    /// <summary>What standard output can show.</summary>
    public Terminal Terminal { get; init; } = Terminal.Plain;

    /// <summary>Reads one environment variable.</summary>
    public Func<string, string?> Environment { get; init; } = static _ => null;

    /// <summary>Where mbr's own files are; the daemon's program is looked for beside them.</summary>
    public string ProgramFolder { get; init; } = AppContext.BaseDirectory;

    /// <summary>The clock of time limits and ages.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>How commands reach a daemon.</summary>
    public required IDaemonConnector Connector { get; init; }

    /// <summary>True in the real process: Ctrl-C and SIGTERM cancel the command.</summary>
    public bool HandlesSignals { get; init; }

    /// <summary>The host of a real run of <c>mbr</c>.</summary>
    public static CliHost ForThisProcess() =>
        new(Console.OpenStandardInput(), new StandardOutput(), Console.OpenStandardError())
        {
            InputIsRedirected = Console.IsInputRedirected,
            Terminal = Terminal.OfThisProcess(System.Environment.GetEnvironmentVariable),
            Environment = System.Environment.GetEnvironmentVariable,
            Connector = new GrpcDaemonConnector(System.Environment.GetEnvironmentVariable),
            HandlesSignals = true,
        };
}
