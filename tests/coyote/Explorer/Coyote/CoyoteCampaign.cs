using Membership.Explorer.Strategies;
using Microsoft.Coyote.Random;
using Microsoft.Coyote.Runtime;
using Microsoft.Coyote.Specifications;

namespace Membership.Explorer.Coyote;

/// <summary>The iterations of one exploration on Coyote, and their sums.</summary>
internal sealed class CoyoteCampaign
{
    private readonly Action<IExploration> _test;
    private readonly ExploreOptions _options;
    private readonly Func<bool> _isTimeOver;
    private readonly HashTable _states = new();
    private readonly HashTable _schedules = new();
    private readonly Exploration _exploration;
    private readonly StrategySlot[] _slots;
    private readonly List<Failure> _failures = [];
    private long _cutOff;
    private int _settled;

    /// <param name="isTimeOver">From then on iterations do nothing: an engine that is stopped from outside loses the trace it was about to write.</param>
    public CoyoteCampaign(Action<IExploration> test, ExploreOptions options, Func<bool> isTimeOver)
    {
        _isTimeOver = isTimeOver;
        _test = test;
        _options = options;
        _exploration = new Exploration(options.StepsMax, options.LivenessSteps, _states);
        var expected = options.ExpectedChoices > 0 ? options.ExpectedChoices : ScheduleExplorer.ProbeChoices(test, options);
        _slots = [.. options.Strategies.Select(choice => StrategySlot.Create(choice, expected, new Corpus(), maySearch: false))];
    }

    public long Iterations { get; private set; }

    public bool HasFailed => _failures.Count > 0;

    public string? FirstIdentity => _failures is [var first, ..] ? first.Identity : null;

    /// <summary>What Coyote runs. A failure of ours becomes one of Coyote's.</summary>
    public void Iteration(ICoyoteRuntime runtime)
    {
        if (_isTimeOver()) return;
        var generator = Generator.Create();
        CoyoteSeam? seam = null;
        Specification.RegisterMonitor<CoyoteSeam.Debts>();
        Specification.RegisterStateHashingFunction(() => seam?.StateHash ?? 0);

        var slot = _slots[generator.NextInteger(_slots.Length)];
        Iterations++;
        var outcome = _exploration.Run(ours => _test(seam = new CoyoteSeam(ours)), new CoyoteStrategy(generator, slot.Strategy), seed: 0);
        slot.Count(outcome, _schedules.Add(outcome.Path));
        if (outcome.IsCutOff) _cutOff++;
        if (!outcome.HasFailed)
        {
            seam?.Forgive();
            return;
        }
        Keep(outcome.ToFailure() with { Strategy = slot.Choice.ToString(), Seed = _options.Seed + (ulong)(Iterations - 1), Iteration = Iterations - 1 }, slot);
        Specification.Assert(false, "{0}", outcome.Message);
    }

    /// <summary>After each engine: every bug Coyote reports must be one that we saw, and its own trace must lead there again.</summary>
    public void Settle(IEnumerable<string> coyoteBugs, Func<string?> replay)
    {
        foreach (var bug in coyoteBugs)
        {
            if (_failures.Exists(failure => bug.Contains(failure.Message, StringComparison.Ordinal))) continue;
            Add(new Failure { Kind = FailureKind.Exception, Message = bug, Identity = Failure.WithoutDigits(bug), Trace = new Trace([]), Strategy = "coyote" });
        }
        if (_settled == _failures.Count || !_options.StopAtFailure) return;
        _settled = _failures.Count;
        var first = _failures[0];
        if (replay() is { } again && again == first.Identity) return;
        _failures[0] = first with { Details = $"Coyote's own trace does not lead to it again.\n{first.Details}" };
    }

    /// <summary>The report; each failure is examined by our own explorer, which runs the trace without Coyote.</summary>
    public ExploreResult Report(string name, TimeSpan elapsed, Func<Failure, Failure> examine) => new()
    {
        Explorer = name,
        Iterations = _slots.Sum(slot => slot.Iterations),
        Steps = _slots.Sum(slot => slot.Steps),
        CutOff = _cutOff,
        DistinctSchedules = _schedules.Count,
        DistinctStates = _states.Count,
        IsLowerBound = _states.IsFull || _schedules.IsFull,
        Elapsed = elapsed,
        Seed = _options.Seed,
        Shares = [.. _slots.GroupBy(slot => slot.Choice).Select(StrategySlot.Share)],
        Failures = [.. _failures.Select(failure => failure.Strategy == "coyote" ? failure : examine(failure))],
    };

    private void Keep(Failure failure, StrategySlot slot)
    {
        if (!Add(failure)) return;
        slot.Found.Add(failure.Identity);
    }

    private bool Add(Failure failure)
    {
        if (_failures.Exists(known => known.Identity == failure.Identity)) return false;
        _failures.Add(failure);
        return true;
    }
}
