using System.Diagnostics;
using Membership.Explorer.Strategies;

namespace Membership.Explorer;

/// <summary>Looks for the fewest and smallest answers that still lead to the same failure: leaves out chunks, puts 0 for answers, makes numbers smaller, joins what one actor does, and where
/// none of that helps changes several answers at once.</summary>
/// <remarks>
/// What a run does after its list ends: the first answer each time; for something owed for too long a fair random walk instead, so that the list only has to lead to where
/// no fair schedule helps any more. While trying, the bound on fair steps is lowered; the result must hold with the full one.
/// </remarks>
public sealed class Shrinker
{
    private const int LivenessStepsLowered = 8;
    private const int LivenessStepsMin = 100;

    /// <summary>Jumps without success after which shrinking gives up.</summary>
    private const int Jumps = 250;

    private const int JumpZerosMax = 4;

    private readonly Action<IExploration> _test;
    private readonly ExploreOptions _options;
    private readonly Failure _failure;
    private readonly TracePlayer _player = new();
    private readonly bool _endsFair;
    private readonly long _started = Stopwatch.GetTimestamp();
    private SplitMix _random = new(TracePlayer.SeedAfterEnd);
    private Exploration _exploration;
    private Decision[] _best;
    private Cost _bestCost;

    /// <param name="test">As in <see cref="IExplorer.Run"/>.</param>
    /// <param name="options">Its bounds and <see cref="ExploreOptions.ShrinkRunsMax"/>.</param>
    /// <param name="failure">What must still happen.</param>
    public Shrinker(Action<IExploration> test, ExploreOptions options, Failure failure)
    {
        _test = test;
        _options = options;
        _failure = failure;
        _best = [.. failure.Trace.Decisions];
        _bestCost = Cost.Of(_best);
        _endsFair = failure.Trace.FairFrom is not null || failure.Trace.EndsFair;
        _exploration = ExplorationWith(Math.Max(Math.Min(LivenessStepsMin, options.LivenessSteps), options.LivenessSteps / LivenessStepsLowered));
    }

    /// <summary>Runs taken so far.</summary>
    public int Runs { get; private set; }

    /// <summary>The least found; the trace of the failure itself when nothing less was.</summary>
    public Trace Shrink()
    {
        if (!Adopts(_best, isFirst: true)) return _failure.Trace;
        var first = _best;
        Improve();
        if (StillFails()) return new Trace(_best, null, _endsFair);
        if (!_endsFair) return _failure.Trace;

        _exploration = ExplorationWith(_options.LivenessSteps);
        (_best, _bestCost) = (first, Cost.Of(first));
        Improve();
        return StillFails() ? new Trace(_best, null, _endsFair) : _failure.Trace;
    }

    private bool HasBudget => Runs < _options.ShrinkRunsMax && Stopwatch.GetElapsedTime(_started) < _options.ShrinkTimeMax;

    private Exploration ExplorationWith(int livenessSteps) => new(_options.StepsMax, livenessSteps, null);

    private void Improve()
    {
        for (var improved = true; improved && HasBudget;)
        {
            improved = LeaveOutChunks();
            improved |= PutZeros();
            improved |= LowerNumbers();
            improved |= JoinActors();
            improved |= JumpAbout();
        }
    }

    private bool LeaveOutChunks()
    {
        var improved = false;
        for (var size = _best.Length; size > 0; size /= 2)
        {
            for (var start = 0; start < _best.Length && HasBudget;)
            {
                var end = Math.Min(_best.Length, start + size);
                if (Adopts([.. _best.AsSpan(0, start), .. _best.AsSpan(end)])) improved = true;
                else start = end;
            }
        }
        return improved;
    }

    private bool PutZeros()
    {
        var improved = false;
        for (var size = Math.Max(1, _best.Length / 2); size > 0; size /= 2)
        {
            for (var start = 0; start < _best.Length && HasBudget; start += size)
            {
                var length = Math.Min(size, _best.Length - start);
                if (_best.AsSpan(start, length).IndexOfAnyExcept(_best[start]) < 0 && _best[start].Value == 0) continue;
                var list = _best.ToArray();
                for (var i = start; i < start + length; i++) list[i] = list[i].With(0);
                improved |= Adopts(list);
            }
        }
        return improved;
    }

    private bool LowerNumbers()
    {
        var improved = false;
        for (var at = 0; at < _best.Length && HasBudget; at++)
        {
            if (_best[at].Kind == ChoiceKind.Boolean) continue;
            improved |= Lower(at, _best[at].Value / 2);
            if (at < _best.Length) improved |= Lower(at, _best[at].Value - 1);
        }
        return improved;
    }

    private bool Lower(int at, int value)
    {
        if (value < 1 || value >= _best[at].Value) return false;
        var list = _best.ToArray();
        list[at] = list[at].With(value);
        return Adopts(list);
    }

    /// <summary>Where one actor's steps are interrupted, its next step is tried before the interruption.</summary>
    private bool JoinActors()
    {
        var improved = false;
        for (var at = 1; at < _best.Length && HasBudget; at++)
        {
            var (before, here) = (_best[at - 1], _best[at]);
            if (before.Kind != ChoiceKind.Schedule || here.Kind != ChoiceKind.Schedule || before.Place == here.Place) continue;
            var next = Array.FindIndex(_best, at, later => later.Kind == ChoiceKind.Schedule && later.Place == before.Place);
            if (next < 0) continue;
            List<Decision> list = [.. _best];
            var moved = list[next];
            list.RemoveAt(next);
            list.Insert(at, moved);
            improved |= Adopts([.. list]);
        }
        return improved;
    }

    /// <summary>Where no single change helps any more, several at once may: some answers become plain, one becomes another, and what was by id is by index.</summary>
    private bool JumpAbout()
    {
        var improved = false;
        for (var jump = 0; jump < Jumps && HasBudget; jump++)
        {
            var list = _best.ToArray();
            if (list.Length == 0) return improved;
            var isByIndex = _random.Below(2) == 0;
            if (isByIndex) list = Array.ConvertAll(list, decision => decision.With(decision.Value));
            for (var zeros = _random.Below(JumpZerosMax) + 1; zeros > 0; zeros--)
            {
                var at = _random.Below(list.Length);
                while (at + 1 < list.Length && list[at].Value == 0) at++;
                list[at] = list[at].With(0);
            }
            var other = _random.Below(list.Length);
            if (_random.Below(2) == 0) list[other] = list[other].With(_random.Below(Math.Max(2, _best[other].Offered)));
            if (!Adopts(list)) continue;
            improved = true;
            jump = 0;
        }
        return improved;
    }

    /// <summary>Runs a list; when the same failure comes out of it and the answers really given are less, they are the best from now on.</summary>
    private bool Adopts(Decision[] list, bool isFirst = false)
    {
        Runs++;
        _player.Load(list, isLoose: !isFirst, endsFair: _endsFair);
        var outcome = _exploration.Run(_test, _player, TracePlayer.SeedAfterEnd);
        if (!outcome.HasFailed || outcome.Identity != _failure.Identity) return false;
        var given = _endsFair ? outcome.Decisions[..Math.Min(_player.AnswersFromList, outcome.Choices)] : WithoutPlainEnd(outcome.Decisions);
        var cost = Cost.Of(given);
        if (!isFirst && cost.CompareTo(_bestCost) >= 0) return false;
        (_best, _bestCost) = (given.ToArray(), cost);
        return true;
    }

    private bool StillFails() =>
        new ScheduleExplorer().Replay(_test, new Trace(_best, null, _endsFair), _options).Failure?.Identity == _failure.Identity;

    private static ReadOnlySpan<Decision> WithoutPlainEnd(ReadOnlySpan<Decision> decisions)
    {
        while (!decisions.IsEmpty && decisions[^1].Value == 0) decisions = decisions[..^1];
        return decisions;
    }

    /// <summary>What is less for a reader: first fewer answers, then fewer that are not plain, then fewer changes of place, then smaller numbers.</summary>
    private readonly record struct Cost(int Length, int NotPlain, int Switches, long Sum) : IComparable<Cost>
    {
        public static Cost Of(ReadOnlySpan<Decision> decisions)
        {
            var (notPlain, switches, sum) = (0, 0, 0L);
            Decision? last = null;
            foreach (var decision in decisions)
            {
                if (decision.Value != 0) notPlain++;
                sum += decision.Value;
                if (decision.Kind != ChoiceKind.Schedule) continue;
                if (last is { } before && before.Place != decision.Place) switches++;
                last = decision;
            }
            return new Cost(decisions.Length, notPlain, switches, sum);
        }

        public int CompareTo(Cost other) =>
            (Length, NotPlain, Switches, Sum).CompareTo((other.Length, other.NotPlain, other.Switches, other.Sum));
    }
}
