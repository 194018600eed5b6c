namespace Membership.Exploration.Hosts.Steering;

/// <summary>Time that stands still until it is moved; its timers fire when they are picked.</summary>
internal sealed class VirtualTime : TimeProvider
{
    private readonly List<VirtualTimer> _timers = [];
    private long _nanoseconds = 1_000_000_000;   // not zero: zero means "never" to some

    /// <summary>Since the beginning.</summary>
    public TimeSpan Now => TimeSpan.FromTicks(_nanoseconds / 100);

    /// <summary>Timers whose time has come, in the order of their times.</summary>
    public IEnumerable<VirtualTimer> Due => _timers.Where(timer => timer.DueAt <= _nanoseconds).OrderBy(timer => timer.DueAt).ToArray();

    /// <summary>The earliest time of a timer that has not come; <see cref="long.MaxValue"/>: none.</summary>
    public long NextDue
    {
        get
        {
            var next = long.MaxValue;
            foreach (var timer in _timers)
            {
                if (timer.DueAt > _nanoseconds) next = Math.Min(next, timer.DueAt);
            }

            return next;
        }
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => 1_000_000_000;

    /// <inheritdoc/>
    public override long GetTimestamp() => _nanoseconds;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_nanoseconds / 100);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass.</summary>
    public void MoveTo(long nanoseconds) => _nanoseconds = Math.Max(_nanoseconds, nanoseconds);

    /// <summary>Waits.</summary>
    public Task Delay(TimeSpan time, CancellationToken cancellationToken = default) => Task.Delay(time, this, cancellationToken);

    /// <summary>One timer.</summary>
    internal sealed class VirtualTimer(VirtualTime time, TimerCallback callback, object? state) : ITimer
    {
        private long _period;

        /// <summary>When it fires.</summary>
        public long DueAt { get; private set; } = long.MaxValue;

        /// <summary>The number of its next firing, once that was offered.</summary>
        public int? Event { get; set; }

        /// <summary>Fires.</summary>
        public void Fire()
        {
            Event = null;
            if (_period > 0) DueAt = time._nanoseconds + _period;
            else End();
            callback(state);
        }

        /// <inheritdoc/>
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            End();
            _period = period > TimeSpan.Zero ? period.Ticks * 100 : 0;
            if (dueTime == Timeout.InfiniteTimeSpan) return true;
            DueAt = time._nanoseconds + (dueTime.Ticks * 100);
            time._timers.Add(this);
            return true;
        }

        /// <inheritdoc/>
        public void Dispose() => End();

        /// <inheritdoc/>
        public ValueTask DisposeAsync()
        {
            End();
            return ValueTask.CompletedTask;
        }

        private void End()
        {
            DueAt = long.MaxValue;
            time._timers.Remove(this);
        }
    }
}
