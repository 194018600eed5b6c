namespace Membership.Explorer;

/// <summary>Runs a test again and again, each time with other answers, until something fails or the limits are reached.</summary>
public interface IExplorer
{
    /// <summary>For reports and the command line.</summary>
    string Name { get; }

    /// <summary>Explores.</summary>
    /// <param name="test">A function of the answers it gets; called on several threads at once, one iteration after the other on each.</param>
    /// <param name="options">Limits, seed, strategies.</param>
    ExploreResult Run(Action<IExploration> test, ExploreOptions options);

    /// <summary>Runs the test once with the answers of a trace.</summary>
    /// <param name="test">As in <see cref="Run"/>.</param>
    /// <param name="trace">The answers; where they end or do not fit, the first one is given.</param>
    /// <param name="options">Limits on steps.</param>
    /// <param name="tell">Hears each line the test tells.</param>
    ReplayResult Replay(Action<IExploration> test, Trace trace, ExploreOptions options, Action<string>? tell = null);
}

/// <summary>One run from a trace.</summary>
/// <param name="Failure">How it failed, or null.</param>
/// <param name="Steps">Schedule choices made.</param>
/// <param name="Left">Why and where the trace did not fit the questions any more, or null when it did.</param>
public sealed record ReplayResult(Failure? Failure, int Steps, string? Left);
