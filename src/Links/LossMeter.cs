namespace Membership.Links;

/// <summary>Share of a peer's reports that got lost on one link over about the last minute, from gaps in their sequence.</summary>
internal sealed class LossMeter
{
    private const int Slots = 6;
    private static readonly TimeSpan Slot = TimeSpan.FromSeconds(10);

    /// <summary>A jump beyond this is a restart of the count, not loss.</summary>
    private const uint GapMax = 1000;

    private readonly int[] _received = new int[Slots];
    private readonly int[] _missed = new int[Slots];
    private int _slot;
    private Instant _slotEnds;
    private uint _highest;
    private bool _any;

    /// <summary>0 to 1; null until two reports came.</summary>
    public double? Value
    {
        get
        {
            int received = 0, missed = 0;
            for (var i = 0; i < Slots; i++)
            {
                received += _received[i];
                missed += _missed[i];
            }
            return received < 2 ? null : (double)missed / (received + missed);
        }
    }

    /// <summary>A report with this number arrived.</summary>
    public void Record(Instant now, uint sequence)
    {
        Turn(now);
        var gap = unchecked(sequence - _highest);
        if (_any && gap is > 0 and <= GapMax) _missed[_slot] += (int)gap - 1;
        else if (_any && unchecked(_highest - sequence) <= GapMax && _missed[_slot] > 0) _missed[_slot]--;
        if (!_any || gap <= GapMax || unchecked(_highest - sequence) > GapMax) _highest = sequence;
        _received[_slot]++;
        _any = true;
    }

    public void Reset()
    {
        Array.Clear(_received);
        Array.Clear(_missed);
        _any = false;
    }

    private void Turn(Instant now)
    {
        if (now < _slotEnds) return;
        var idle = now - _slotEnds;
        var turns = _slotEnds.Nanoseconds == 0 || idle >= Slot * Slots ? Slots : 1 + (int)(idle / Slot);
        for (var i = 0; i < turns; i++)
        {
            _slot = (_slot + 1) % Slots;
            _received[_slot] = _missed[_slot] = 0;
        }
        _slotEnds = now + Slot;
    }
}
