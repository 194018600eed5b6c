using System.Text;
using System.Text.Json;
using Membership.Cli.Text;

namespace Membership.Cli.Tests;

/// <summary>One finished run of <c>mbr</c> inside the test's process.</summary>
internal sealed record MbrRun(int ExitCode, string Output, string Error)
{
    /// <summary>Standard output as one JSON object.</summary>
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    /// <summary>Standard output as one JSON object a line.</summary>
    public IReadOnlyList<JsonElement> JsonLines =>
        [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonDocument.Parse(line).RootElement)];

    /// <summary>Runs the command line against the given daemons, as the real program would, with captured output.</summary>
    public static Task<MbrRun> Of(Daemons.IDaemonConnector daemons, params string[] arguments) => With(new MbrSetup(daemons), arguments);

    /// <summary>Runs the command line in the given surroundings.</summary>
    public static async Task<MbrRun> With(MbrSetup setup, params string[] arguments)
    {
        using var input = new MemoryStream(setup.Input ?? []);
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        var host = new CliHost(input, output, error)
        {
            Connector = setup.Daemons,
            Terminal = setup.Terminal,
            Environment = name => setup.Environment.GetValueOrDefault(name),
            InputIsRedirected = setup.Input is not null,
            Time = setup.Time,
            ProgramFolder = setup.ProgramFolder,
        };
        var exitCode = await Mbr.RunAsync(arguments, host, setup.Cancellation);
        return new MbrRun(exitCode, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }
}

/// <summary>What surrounds a run: the daemons that can be reached, the terminal, environment variables, standard input.</summary>
internal sealed record MbrSetup(Daemons.IDaemonConnector Daemons)
{
    public Terminal Terminal { get; init; } = Terminal.Plain;

    public Dictionary<string, string> Environment { get; init; } = [];

    /// <summary>Standard input; null is a terminal.</summary>
    public byte[]? Input { get; init; }

    public string ProgramFolder { get; init; } = "/nonexistent";

    public TimeProvider Time { get; init; } = new StoppedClock();

    public CancellationToken Cancellation { get; init; }
}

/// <summary>A clock whose hands stand still, so that ages on screens are the same on every machine; timers run as ever.</summary>
internal sealed class StoppedClock : TimeProvider
{
    public override long GetTimestamp() => 0;

    public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 12, 3, 7, TimeSpan.Zero);

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;
}
