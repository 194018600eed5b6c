using System.Diagnostics;
using Membership.Explorer.Strategies;

namespace Membership.Explorer;

/// <summary>One thread's share of an exploration: each n-th iteration, with strategies, states and a corpus of its own.</summary>
internal sealed class Worker
{
    /// <summary>Different failures kept; beyond it only their number would grow.</summary>
    private const int FailuresMax = 16;

    /// <summary>States and schedules told apart per thread.</summary>
    private const int EntriesMax = 1 << 22;

    private readonly Action<IExploration> _test;
    private readonly ExploreOptions _options;
    private readonly int _number;
    private readonly int _jobs;
    private readonly Exploration _exploration;
    private readonly Corpus _corpus = new();
    private readonly StrategySlot[] _slots;
    private readonly TracePlayer _player = new();

    /// <param name="number">From 0 to below <paramref name="jobs"/>.</param>
    public Worker(Action<IExploration> test, ExploreOptions options, int number, int jobs, int expectedChoices)
    {
        _test = test;
        _options = options;
        _number = number;
        _jobs = jobs;
        _exploration = new Exploration(options.StepsMax, options.LivenessSteps, States);
        var byChoice = options.Strategies.Distinct().ToDictionary(choice => choice, choice => StrategySlot.Create(choice, expectedChoices, _corpus, maySearch: number == 0));
        _slots = [.. options.Strategies.Select(choice => byChoice[choice])];
        Slots = [.. byChoice.Values];
    }

    public HashTable States { get; } = new(EntriesMax);

    public HashTable Schedules { get; } = new(EntriesMax);

    /// <summary>One per strategy.</summary>
    public IReadOnlyList<StrategySlot> Slots { get; }

    public List<Failure> Failures { get; } = [];

    public long CutOff { get; private set; }

    /// <summary>What the thread died of, if it was not the test.</summary>
    public Exception? Died { get; private set; }

    /// <summary>Runs until the limits are reached or <paramref name="isOver"/> says that another thread is done.</summary>
    public void Run(long started, Func<bool> isOver, Action failed)
    {
        try
        {
            for (long iteration = _number; iteration < _options.Iterations; iteration += _jobs)
            {
                if (isOver() || _options.Cancellation.IsCancellationRequested) return;
                if (iteration > 0 && _options.TimeMax is { } limit && Stopwatch.GetElapsedTime(started) >= limit) return;
                if (NextSlot(_options.Seed + (ulong)iteration) is not { } slot) return;
                One(slot, iteration, failed);
            }
        }
        catch (Exception died)
        {
            Died = died;
            failed();
        }
    }

    private void One(StrategySlot slot, long iteration, Action failed)
    {
        var seed = _options.Seed + (ulong)iteration;
        var outcome = _exploration.Run(_test, slot.Strategy, seed);
        slot.Count(outcome, Schedules.Add(outcome.Path));
        if (outcome.IsCutOff) CutOff++;
        if (outcome.NewStates > 0 && slot.FeedsCorpus) _corpus.Add(outcome.Decisions[..outcome.ChoicesToNews]);
        if (outcome.HasFailed) Keep(outcome.ToFailure(), slot, seed, iteration, failed);
        else if (_options.CheckEvery > 0 && iteration / _jobs % _options.CheckEvery == 0 && !outcome.IsPruned) Check(outcome, slot, seed, iteration, failed);
    }

    private void Check(IterationOutcome outcome, StrategySlot slot, ulong seed, long iteration, Action failed)
    {
        var difference = Repeat.Compare(_test, _options, outcome.Decisions.ToArray(), outcome.StatesPath, _player);
        if (difference is null) return;
        Keep(Nondeterminism.ToFailure(difference, outcome.ToTrace()), slot, seed, iteration, failed);
    }

    private void Keep(Failure failure, StrategySlot slot, ulong seed, long iteration, Action failed)
    {
        if (Failures.Count >= FailuresMax || Failures.Exists(known => known.Identity == failure.Identity)) return;
        Failures.Add(failure with { Strategy = slot.Choice.ToString(), Seed = seed, Iteration = iteration });
        slot.Found.Add(failure.Identity);
        failed();
    }

    private StrategySlot? NextSlot(ulong seed)
    {
        var first = (int)(SplitMix.Mix(seed) % (ulong)_slots.Length);     // mixed: each thread has every n-th seed and needs every strategy
        for (var i = 0; i < _slots.Length; i++)
        {
            var slot = _slots[(first + i) % _slots.Length];
            if (slot.Strategy is not DepthFirstSearch { IsExhausted: true }) return slot;
        }
        return null;
    }
}
