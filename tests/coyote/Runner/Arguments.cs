using System.Globalization;
using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>A mistake of whoever typed the command.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>The words after the program's name.</summary>
internal sealed class Arguments
{
    private static readonly string[] WithValue = ["suite", "iterations", "seconds", "strategy", "seed", "jobs", "steps", "explorer", "replay", "regressions"];
    private static readonly string[] Alone = ["list", "canary", "shrink", "json", "all-failures", "no-shrink", "help"];

    private const long IterationsDefault = 1000;

    private readonly Dictionary<string, string> _values = [];

    /// <summary>Null when a word is unknown or lacks its value, and for --help.</summary>
    public static Arguments? Parse(string[] words)
    {
        var arguments = new Arguments();
        for (var i = 0; i < words.Length; i++)
        {
            var name = words[i].StartsWith("--", StringComparison.Ordinal) ? words[i][2..] : "";
            if (Alone.Contains(name)) arguments._values[name] = "";
            else if (WithValue.Contains(name) && i + 1 < words.Length) arguments._values[name] = words[++i];
            else return null;
        }
        return arguments.Has("help") ? null : arguments;
    }

    public bool Has(string name) => _values.ContainsKey(name);

    public string? Text(string name) => _values.GetValueOrDefault(name);

    public long Number(string name, long otherwise)
    {
        if (Text(name) is not { } text) return otherwise;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new UsageException($"--{name} {text}: a whole number from 0 on is needed");
    }

    /// <summary>The suites asked for; those that must fail only by name.</summary>
    public IReadOnlyList<Suite> Choose(IReadOnlyList<Suite> known)
    {
        if (Text("suite") is not { } names) return [.. known.Where(suite => !suite.MustFail)];
        var chosen = new List<Suite>();
        foreach (var name in names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var fitting = known.Where(suite => name.EndsWith('*') ? suite.Name.StartsWith(name[..^1], StringComparison.Ordinal) : suite.Name == name).ToList();
            if (fitting.Count == 0) throw new UsageException($"--suite {name}: no suite has this name. Known: {string.Join(", ", known.Select(suite => suite.Name))}");
            chosen.AddRange(fitting.Except(chosen));
        }
        return chosen;
    }

    /// <summary>Such a search runs to its end, whatever number of iterations was asked for; other strategies and a limit on time take that back.</summary>
    public bool MustBeExhausted(Suite suite) => suite.ExhaustedWithin > 0 && !Has("strategy") && !Has("seconds") && !Has("explorer");

    /// <summary>The suite's options with what was asked for.</summary>
    public ExploreOptions Apply(Suite suite)
    {
        var options = suite.Options;
        var seconds = Number("seconds", 0);
        var iterations = MustBeExhausted(suite) ? suite.ExhaustedWithin : Number("iterations", seconds > 0 ? long.MaxValue / 2 : IterationsDefault);
        return options with
        {
            Iterations = iterations,
            TimeMax = seconds > 0 ? TimeSpan.FromSeconds(seconds) : null,
            Seed = (ulong)Number("seed", 1),
            Jobs = (int)Math.Clamp(Number("jobs", Environment.ProcessorCount), 1, 1024),
            StepsMax = (int)Math.Min(Number("steps", options.StepsMax), int.MaxValue / 2),
            StopAtFailure = !Has("all-failures"),
            ShrinkRunsMax = Has("no-shrink") ? 0 : options.ShrinkRunsMax,
            Strategies = Strategies(options.Strategies),
        };
    }

    /// <summary>The back end asked for.</summary>
    public IExplorer Explorer()
    {
        var name = Text("explorer") ?? Explorers.All[0].Name;
        return Explorers.All.FirstOrDefault(explorer => explorer.Name == name)
            ?? throw new UsageException($"--explorer {name}: this program was built with {string.Join(", ", Explorers.All.Select(explorer => explorer.Name))}; Coyote needs -p:WithCoyote=true");
    }

    private IReadOnlyList<StrategyChoice> Strategies(IReadOnlyList<StrategyChoice> otherwise)
    {
        if (Text("strategy") is not { } names) return otherwise;
        return StrategyChoice.Parse(names) ?? throw new UsageException($"--strategy {names}: known are random, pctD, pos, delayD, dfs, dfsD, coverage, portfolio, with D a number from 1 on");
    }
}
