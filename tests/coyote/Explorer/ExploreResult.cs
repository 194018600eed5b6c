using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Membership.Explorer;

/// <summary>What one strategy did.</summary>
/// <param name="Strategy">Its name.</param>
/// <param name="Iterations">Iterations it ran.</param>
/// <param name="Steps">Schedule choices in them.</param>
/// <param name="NewSchedules">Of those iterations, the ones nobody had run before it (on the same thread).</param>
/// <param name="NewStates">States nobody had told before it (on the same thread).</param>
/// <param name="Found">Identities of the failures it found first.</param>
public sealed record StrategyShare(string Strategy, long Iterations, long Steps, long NewSchedules, long NewStates, IReadOnlyList<string> Found);

/// <summary>How depth-first search ended.</summary>
/// <param name="IsComplete">Every schedule and every data choice has been explored; no bound cut anything off.</param>
/// <param name="IsExhausted">Everything within the bounds has been explored.</param>
/// <param name="DelaysMax">The bound on delays; 0 for none.</param>
/// <param name="LeftOut">Alternatives beyond the bound on delays.</param>
/// <param name="CutOff">Iterations cut off by the step bound.</param>
/// <param name="Pruned">Iterations ended early at a state that had been explored.</param>
public sealed record SearchEnd(bool IsComplete, bool IsExhausted, int DelaysMax, long LeftOut, long CutOff, long Pruned);

/// <summary>The report of one exploration.</summary>
public sealed record ExploreResult
{
    /// <summary>Who explored.</summary>
    public required string Explorer { get; init; }

    /// <summary>Iterations run.</summary>
    public long Iterations { get; init; }

    /// <summary>Schedule choices in all of them.</summary>
    public long Steps { get; init; }

    /// <summary>Iterations that the step bound ended.</summary>
    public long CutOff { get; init; }

    /// <summary>Different sequences of answers.</summary>
    public long DistinctSchedules { get; init; }

    /// <summary>Different states told.</summary>
    public long DistinctStates { get; init; }

    /// <summary>There was no room to keep them all: the two numbers above are lower bounds.</summary>
    public bool IsLowerBound { get; init; }

    /// <summary>Time from start to end, without shrinking.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>Base seed.</summary>
    public ulong Seed { get; init; }

    /// <summary>Per strategy.</summary>
    public IReadOnlyList<StrategyShare> Shares { get; init; } = [];

    /// <summary>How depth-first search ended, where it took part.</summary>
    public SearchEnd? Search { get; init; }

    /// <summary>Different failures, in the order found.</summary>
    public IReadOnlyList<Failure> Failures { get; init; } = [];

    /// <summary>Iterations per second of elapsed time, all threads together.</summary>
    public double IterationsPerSecond => Elapsed > TimeSpan.Zero ? Iterations / Elapsed.TotalSeconds : 0;

    private static readonly JsonSerializerOptions JsonOptions = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new TraceAsText() },
    };

    /// <summary>Nothing, or the first failure as an exception whose message replays it.</summary>
    /// <exception cref="ExplorationFailedException">Something failed.</exception>
    public ExploreResult ThrowIfFailed()
    {
        if (Failures.Count > 0) throw new ExplorationFailedException($"{Failures[0]}\n{Failures[0].Details}");
        return this;
    }

    /// <summary>For people.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        var atLeast = IsLowerBound ? "at least " : "";
        text.Append(CultureInfo.InvariantCulture, $"{Iterations} iterations, {Steps} steps, {atLeast}{DistinctSchedules} schedules, {atLeast}{DistinctStates} states, {CutOff} cut off, ");
        text.Append(CultureInfo.InvariantCulture, $"{Elapsed.TotalSeconds:F2} s, {IterationsPerSecond:F0} iterations/s, base seed {Seed}, explorer {Explorer}");
        if (Search is { } search) text.Append('\n').Append(Describe(search));
        foreach (var share in Shares)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  {share.Strategy,-10} {share.Iterations,9} iterations {share.Steps,11} steps {share.NewSchedules,9} new schedules {share.NewStates,9} new states");
            if (share.Found.Count > 0) text.Append(CultureInfo.InvariantCulture, $"  found {string.Join("; ", share.Found)}");
        }
        foreach (var failure in Failures) text.Append("\n  FAILED ").Append(failure);
        return text.ToString();
    }

    /// <summary>For programs. Durations are "hh:mm:ss.fffffff", traces their line.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, JsonOptions);

    private static string Describe(SearchEnd search)
    {
        var within = search.DelaysMax == 0 ? "" : $" with up to {search.DelaysMax} delays";
        var what = search switch
        {
            { IsComplete: true } => "exhausted: every schedule and every data choice has been explored",
            { IsExhausted: true } => $"exhausted{within} within the step bound",
            _ => "not exhausted",
        };
        return string.Create(CultureInfo.InvariantCulture, $"  {what}; {search.Pruned} iterations ended at explored states, {search.CutOff} at the step bound, {search.LeftOut} alternatives left out");
    }

    private sealed class TraceAsText : JsonConverter<Trace>
    {
        public override Trace Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Trace.Parse(reader.GetString() ?? "-");

        public override void Write(Utf8JsonWriter writer, Trace value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
