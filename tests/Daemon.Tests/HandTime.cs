namespace Membership.Daemon.Tests;

/// <summary>Time that passes when a test says so, timers included. Any thread.</summary>
internal sealed class HandTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<HandTimer> _armed = [];
    private long _now = TimeSpan.TicksPerSecond;   // not zero, which stands for "never" in places

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new HandTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass. Timers fire in the order in which they are due, each at its own time, before this returns.</summary>
    public void Pass(TimeSpan time)
    {
        var end = _now + time.Ticks;
        while (TakeDue(end) is { } timer) timer.Fire();
        Volatile.Write(ref _now, end);
    }

    private HandTimer? TakeDue(long end)
    {
        lock (_gate)
        {
            if (_armed.Where(timer => timer.DueAt <= end).MinBy(timer => timer.DueAt) is not { } next) return null;
            if (next.DueAt > _now) Volatile.Write(ref _now, next.DueAt);
            _armed.Remove(next);
            if (next.Period > TimeSpan.Zero) Arm(next, next.Period, next.Period);
            return next;
        }
    }

    private void Arm(HandTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        (timer.DueAt, timer.Period) = (_now + dueTime.Ticks, period);
        _armed.Add(timer);
    }

    private sealed class HandTimer(HandTime time, TimerCallback callback, object? state) : ITimer
    {
        public long DueAt { get; set; }

        /// <summary>Zero or less: it fires once.</summary>
        public TimeSpan Period { get; set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._armed.Remove(this);
                if (dueTime >= TimeSpan.Zero) time.Arm(this, dueTime, period);   // negative: never
                return true;
            }
        }

        public void Dispose()
        {
            lock (time._gate) time._armed.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
