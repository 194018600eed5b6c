using System.Diagnostics;
using Microsoft.Coyote;
using Microsoft.Coyote.Logging;
using Microsoft.Coyote.SystematicTesting;

namespace Membership.Explorer.Coyote;

/// <summary>The same tests on Microsoft Coyote: its engine runs the iterations and owns all randomness, our strategies choose with what it draws.</summary>
/// <remarks>
/// Everything an iteration does follows from Coyote's generator, so Coyote's own traces replay it. Nothing is learned from one iteration to the next: coverage guidance
/// walks at random here, and depth-first search samples. Coyote has global state: one thread, and iterations in slices, because it keeps each run's path in memory.
/// </remarks>
public sealed class CoyoteExplorer : IExplorer
{
    /// <summary>Iterations of one engine.</summary>
    private const uint SliceMax = 500;

    /// <summary>Coyote's own bounds lie so many times above ours: they catch what ours cannot see, a test that draws data without end.</summary>
    private const long Slack = 16;

    private readonly ScheduleExplorer _own = new();

    /// <inheritdoc/>
    public string Name => "coyote";

    /// <inheritdoc/>
    public ExploreResult Run(Action<IExploration> test, ExploreOptions options)
    {
        var started = Stopwatch.GetTimestamp();
        bool IsTimeOver() => options.Cancellation.IsCancellationRequested || (options.TimeMax is { } limit && Stopwatch.GetElapsedTime(started) >= limit);
        var campaign = new CoyoteCampaign(test, options, IsTimeOver);
        while (campaign.Iterations < options.Iterations && !IsTimeOver() && !(options.StopAtFailure && campaign.HasFailed))
        {
            var before = campaign.Iterations;
            var slice = (uint)Math.Min(SliceMax, options.Iterations - campaign.Iterations);
            using var engine = TestingEngine.Create(Configure(options, (uint)(options.Seed + (ulong)campaign.Iterations)).WithTestingIterations(slice), campaign.Iteration);
            engine.SetLogger(Silent());
            engine.Run();
            campaign.Settle(engine.TestReport.BugReports, () => Replay(test, options, engine.ReproducibleTrace));
            if (campaign.Iterations == before) break;
        }
        return campaign.Report(Name, Stopwatch.GetElapsedTime(started), failure => _own.Examine(test, options, failure));
    }

    /// <summary>A trace of ours: the answers are known, so there is nothing for Coyote to choose.</summary>
    public ReplayResult Replay(Action<IExploration> test, Trace trace, ExploreOptions options, Action<string>? tell = null) => _own.Replay(test, trace, options, tell);

    /// <summary>Runs Coyote's own trace of a failure.</summary>
    /// <returns>What failed then, or null.</returns>
    private static string? Replay(Action<IExploration> test, ExploreOptions options, string trace)
    {
        var again = new CoyoteCampaign(test, options, () => false);
        using var engine = TestingEngine.Create(Configure(options, 0).WithReproducibleTrace(trace), again.Iteration);
        engine.SetLogger(Silent());
        engine.Run();
        return again.FirstIdentity;
    }

    /// <summary>What Coyote would say is in our report.</summary>
    private static TextWriterLogger Silent() => new(TextWriter.Null, VerbosityLevel.Error);

    private static Configuration Configure(ExploreOptions options, uint seed)
    {
        var steps = (uint)Math.Min(uint.MaxValue / 2, Slack * (options.StepsMax + (long)options.LivenessSteps));
        return Configuration.Create()
            .WithRandomStrategy()
            .WithRandomGeneratorSeed(seed)
            .WithMaxSchedulingSteps(steps)
            .WithLivenessTemperatureThreshold(steps / 2)
            .WithTestIterationsRunToCompletion(!options.StopAtFailure)
            .WithPotentialDeadlocksReportedAsBugs(false)
            .WithPartiallyControlledConcurrencyAllowed()
            .WithTelemetryEnabled(false);
    }
}
