using System.Diagnostics;
using System.Globalization;
using Membership.Virtual;

namespace Membership.Fuzz.Engine;

/// <summary>What a target did wrong, and the input that shows it.</summary>
/// <param name="Kind">crash, allocation or hang.</param>
/// <param name="Text">What happened.</param>
/// <param name="Input">Shrunk where the target has no state.</param>
/// <param name="Block">The block of executions that led to it: a target with state needs all of it.</param>
internal sealed record Failure(string Target, string Kind, string Text, byte[] Input, long Block);

/// <summary>What a campaign against one target found.</summary>
internal sealed class TargetResult(Target target)
{
    /// <summary>Each reason has to be met so often, or the campaign says nothing about it.</summary>
    public const int HitsMin = 100;

    public string Name { get; } = target.Name;

    public IReadOnlyList<string> Reasons { get; } = target.Reasons;

    public long[] Hits { get; } = new long[target.Reasons.Count];

    public long Executions { get; set; }

    /// <summary>Of the whole process while this target ran.</summary>
    public TimeSpan Processor { get; set; }

    public TimeSpan Elapsed { get; set; }

    /// <summary>Most that one run allocated, bytes.</summary>
    public long AllocatedMax { get; set; }

    public List<Failure> Failures { get; } = [];

    public int RateMin { get; } = target.RateMin;

    /// <summary>Executions per second of processor time.</summary>
    public double Rate => Executions / Math.Max(Processor.TotalSeconds, 1e-6);

    /// <summary>Reasons met too rarely.</summary>
    public IEnumerable<string> Rare => Reasons.Where((_, reason) => Hits[reason] < HitsMin);

    public bool IsVoid => Rare.Any();

    public bool IsWell => Failures.Count == 0 && !IsVoid;
}

/// <summary>Runs one target in blocks of executions on several threads. What happens in a block depends on seed and block number alone.</summary>
/// <param name="make">A new instance of the target: one for each thread.</param>
/// <param name="seed">Of all inputs.</param>
/// <param name="jobs">Threads.</param>
/// <param name="kept">Inputs beside the target's own seeds.</param>
/// <param name="hangLimit">A run that takes longer is a hang; null: <see cref="HangLimitDefault"/>.</param>
/// <param name="clock">Measures how long a run takes; null: the system's.</param>
internal sealed class Campaign(Func<Target> make, ulong seed, int jobs, IReadOnlyList<Seed> kept, TimeSpan? hangLimit = null, TimeProvider? clock = null)
{
    /// <summary>Executions of a block: a target with state begins anew with each.</summary>
    public const int BlockExecutions = 2048;

    /// <summary>Failures told of one target; a broken parser would fill the disk.</summary>
    public const int FailuresMax = 5;

    /// <summary>A run that takes longer is a hang, unless a campaign says otherwise.</summary>
    public static readonly TimeSpan HangLimitDefault = TimeSpan.FromSeconds(20);

    private const int DeadlineEvery = 64;

    private static readonly TimeSpan LookForHangsEvery = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _hangLimit = hangLimit ?? HangLimitDefault;
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    private readonly Lock _gate = new();
    private long _nextBlock;
    private long _taken;
    private bool _stop;

    /// <summary>Runs until so many executions are done or the time is over.</summary>
    public TargetResult Run(long executions, TimeSpan? time)
    {
        var result = new TargetResult(make());
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        var workers = Enumerable.Range(0, jobs).Select(_ => new Worker(this, make(), kept, result)).ToList();
        foreach (var worker in workers) worker.Start(executions, watch, time);
        foreach (var worker in workers)
        {
            while (!worker.Join(LookForHangsEvery))
            {
                if (workers.Select(each => each.Hanging).FirstOrDefault(hanging => hanging is not null) is { } hanging) return Hung(result, hanging.Number, hanging.Input);
            }
        }

        foreach (var worker in workers) worker.AddTo(result);
        result.Elapsed = watch.Elapsed;
        result.Processor = Process.GetCurrentProcess().TotalProcessorTime - before;
        return result;
    }

    /// <summary>Runs one block again.</summary>
    public TargetResult RunBlock(long block)
    {
        (_nextBlock, _taken) = (block, 0);
        return Run(BlockExecutions, null);
    }

    // The thread cannot be stopped; the program ends soon.
    private TargetResult Hung(TargetResult result, long number, byte[] input)
    {
        result.Failures.Add(new Failure(result.Name, "hang", string.Create(CultureInfo.InvariantCulture, $"has not ended after {_hangLimit.TotalSeconds} s"), input, number / BlockExecutions));
        return result;
    }

    private bool TryTakeBlock(long executions, out long block, out int count)
    {
        lock (_gate)
        {
            (block, count) = (_nextBlock, (int)Math.Min(BlockExecutions, executions - _taken));
            if (_stop || count <= 0) return false;
            _nextBlock++;
            _taken += count;
            return true;
        }
    }

    private void Report(TargetResult result, Failure failure)
    {
        lock (_gate)
        {
            if (result.Failures.Count < FailuresMax && !result.Failures.Exists(known => known.Kind == failure.Kind && known.Text == failure.Text)) result.Failures.Add(failure);
            _stop |= result.Failures.Count >= FailuresMax;
        }
    }

    /// <summary>One thread with its own instance of the target.</summary>
    private sealed class Worker
    {
        private readonly Campaign _campaign;
        private readonly Target _target;
        private readonly TargetResult _result;
        private readonly Judge _judge;
        private readonly Mutator _mutator;
        private readonly long[] _hits;
        private Thread? _thread;
        private long _executions;
        private long _number;
        private long _startedAt;

        public Worker(Campaign campaign, Target target, IReadOnlyList<Seed> kept, TargetResult result)
        {
            (_campaign, _target, _result) = (campaign, target, result);
            _judge = new Judge(target);
            _hits = new long[target.Reasons.Count];
            byte[][] corpus = [.. target.Seeds().Concat(kept).Select(each => each.Bytes)];
            _mutator = new Mutator(corpus, target.Words, target.LengthMax, target.IsText);
            foreach (var bytes in corpus) _judge.WarmUp(bytes);
        }

        /// <summary>Number and input of the execution that has been going on for longer than the limit; null when there is none. Any thread.</summary>
        public (long Number, byte[] Input)? Hanging
        {
            get
            {
                if (Volatile.Read(ref _startedAt) is not (var at and not 0) || _campaign._clock.GetElapsedTime(at) <= _campaign._hangLimit) return null;

                // What hangs does not change its input: it stands in the mutator's buffer as it was given, also where a target's state went into it.
                (long Number, byte[] Input) hanging = (Volatile.Read(ref _number), _mutator.Current.ToArray());
                return Volatile.Read(ref _startedAt) == at ? hanging : null;   // else it has just ended
            }
        }

        public void Start(long executions, Stopwatch watch, TimeSpan? time)
        {
            _thread = new Thread(() => Run(executions, watch, time)) { IsBackground = true, Name = _target.Name };
            _thread.Start();
        }

        public bool Join(TimeSpan time) => _thread!.Join(time); // started before

        public void AddTo(TargetResult result)
        {
            for (var i = 0; i < _hits.Length; i++) result.Hits[i] += _hits[i];
            result.Executions += _executions;
            result.AllocatedMax = Math.Max(result.AllocatedMax, _judge.AllocatedMax);
            (_target as IDisposable)?.Dispose();
        }

        private void Run(long executions, Stopwatch watch, TimeSpan? time)
        {
            while (_campaign.TryTakeBlock(executions, out var block, out var count))
            {
                _target.Reset();
                for (var number = 0; number < count; number++)
                {
                    if (number % DeadlineEvery == 0 && time is { } limit && watch.Elapsed > limit) return;
                    if (!RunOne(block, number)) break; // a target with state begins anew
                }
            }
        }

        private bool RunOne(long block, int number)
        {
            var random = new FuzzRandom(_campaign.Seed(_target.Name), (ulong)((block * BlockExecutions) + number));
            var input = _mutator.Next(ref random);
            if (!random.OneIn(4)) _target.Repair(input);
            Volatile.Write(ref _number, (block * BlockExecutions) + number);
            Volatile.Write(ref _startedAt, _campaign._clock.GetTimestamp());
            var verdict = _judge.Run(input, out var reason);
            Volatile.Write(ref _startedAt, 0);
            _executions++;
            if (verdict is null)
            {
                _hits[reason]++;
                return true;
            }

            var shrunk = _target.IsStateful ? input.ToArray() : _judge.Shrink(input);
            _campaign.Report(_result, new Failure(_target.Name, verdict.Value.Kind, verdict.Value.Text, shrunk, block));
            return false;
        }
    }

    private ulong Seed(string name) => seed ^ Xoshiro256.Hash(name);
}
