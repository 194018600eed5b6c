namespace Membership.Daemon.Tests.Services;

/// <summary>The system's time, but its timers run so many times faster: limits of seconds pass in a test, durations stay true.</summary>
internal sealed class HastyTime(int factor) : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Shorter(dueTime), Shorter(period));

    private TimeSpan Shorter(TimeSpan time) => time > TimeSpan.Zero ? time / factor : time;   // negative: never
}
