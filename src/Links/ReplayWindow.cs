namespace Membership.Links;

/// <summary>Remembers which of the last 4096 counters of one (sender, boot, link) were seen.</summary>
/// <remarks>A ring of bits indexed by counter. Moved only by <see cref="Accept"/>, which is called after the tag verified.</remarks>
internal sealed class ReplayWindow
{
    /// <summary>Counters further behind the highest than this are refused.</summary>
    public const int Size = 4096;

    private const int Words = Size / 64;
    private readonly ulong[] _seen = new ulong[Words];
    private ulong _highest;
    private bool _any;

    /// <summary>True when the counter was seen or lies behind the window.</summary>
    public bool IsStale(ulong counter)
    {
        if (!_any || counter > _highest) return false;
        return _highest - counter >= Size || (_seen[Word(counter)] & Bit(counter)) != 0;
    }

    /// <summary>Records an authentic counter that <see cref="IsStale"/> let through.</summary>
    public void Accept(ulong counter)
    {
        if (!_any || counter > _highest)
        {
            Advance(counter);
            _highest = counter;
            _any = true;
        }
        _seen[Word(counter)] |= Bit(counter);
    }

    private void Advance(ulong counter)
    {
        if (!_any || counter - _highest >= Size)
        {
            Array.Clear(_seen);
            return;
        }
        for (var next = _highest + 1; ; next++)
        {
            _seen[Word(next)] &= ~Bit(next);
            if (next == counter) return;
        }
    }

    private static int Word(ulong counter) => (int)(counter / 64 % Words);

    private static ulong Bit(ulong counter) => 1UL << (int)(counter % 64);
}
