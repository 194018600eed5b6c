namespace Membership.Daemon;

/// <summary>Decides which lines are written: a repeat within ten seconds is counted and told later in one line, and nobody gets more than ten lines a second.</summary>
/// <remarks>Used by one task at a time.</remarks>
internal sealed class LineFolding(TimeProvider time)
{
    /// <summary>Lines that others can provoke, per second.</summary>
    public const int LinesPerSecondMax = 10;

    /// <summary>Different lines remembered; beyond it lines are not folded, only limited.</summary>
    public const int RememberedMax = 256;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, (long Since, long Count)> _repeats = new(StringComparer.Ordinal);
    private long _second;
    private int _written;
    private long _lost;

    /// <summary>A line that stands for several.</summary>
    public readonly record struct Folded(string What, long Count, int Seconds);

    /// <summary>True when the line is to be written now.</summary>
    public bool Admit(string what)
    {
        var now = time.GetTimestamp();
        if (_repeats.TryGetValue(what, out var repeat) && time.GetElapsedTime(repeat.Since, now) < Window)
        {
            _repeats[what] = (repeat.Since, repeat.Count + 1);
            return false;
        }
        if (time.GetElapsedTime(_second, now) >= TimeSpan.FromSeconds(1)) (_second, _written) = (now, 0);
        if (_written >= LinesPerSecondMax)
        {
            _lost++;
            return false;
        }
        _written++;
        if (_repeats.Count < RememberedMax) _repeats[what] = (now, 0);
        return true;
    }

    /// <summary>Repeats whose ten seconds are over; they are forgotten.</summary>
    public IReadOnlyList<Folded> Due()
    {
        var now = time.GetTimestamp();
        return Take(repeat => time.GetElapsedTime(repeat.Since, now) >= Window);
    }

    /// <summary>All repeats, at the end.</summary>
    public IReadOnlyList<Folded> All() => Take(_ => true);

    /// <summary>How many lines were left out since the last call.</summary>
    public long TakeLost() => Interlocked.Exchange(ref _lost, 0);

    private List<Folded> Take(Func<(long Since, long Count), bool> isDue)
    {
        List<Folded> folded = [];
        foreach (var (what, repeat) in _repeats.ToArray())
        {
            if (!isDue(repeat)) continue;
            _repeats.Remove(what);
            if (repeat.Count > 0) folded.Add(new Folded(what, repeat.Count, (int)Window.TotalSeconds));
        }
        return folded;
    }
}
