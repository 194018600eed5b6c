using Membership.Links;

namespace Membership.Totem;

/// <summary>The ring's timers. A fixed table: nothing fires after it was cancelled.</summary>
internal enum TotemTimer
{
    /// <summary>The token has not come for the token timeout.</summary>
    TokenLoss,

    /// <summary>No progress was seen since the (commit) token was sent: send it again.</summary>
    TokenRetransmit,

    /// <summary>The idle token was held long enough.</summary>
    Hold,

    /// <summary>A lone sender kept the token long enough after its last message.</summary>
    Linger,

    /// <summary>Asked for the held token, and it has not come.</summary>
    HoldCancel,

    /// <summary>Repeat the Join.</summary>
    Join,

    /// <summary>Those who do not agree are left out.</summary>
    Consensus,

    /// <summary>The matrix has been steady long enough for a merge.</summary>
    Settle,

    /// <summary>Tell reachable nodes outside the ring which ring this is.</summary>
    Announce,

    /// <summary>A hold-down ends.</summary>
    HoldDown,

    /// <summary>Leave now, or say it again.</summary>
    Leave,

    /// <summary>How many timers there are.</summary>
    Count,
}

/// <summary>When each timer is due.</summary>
internal sealed class TimerTable
{
    private readonly Instant[] _due = new Instant[(int)TotemTimer.Count];
    private Instant _earliest = Instant.Never;
    private bool _isStale;

    public TimerTable() => Array.Fill(_due, Instant.Never);

    /// <summary>The earliest armed timer; <see cref="Instant.Never"/> while none is.</summary>
    public Instant Earliest
    {
        get
        {
            if (!_isStale) return _earliest;
            _earliest = Instant.Never;
            foreach (var due in _due)
            {
                if (due < _earliest) _earliest = due;
            }

            _isStale = false;
            return _earliest;
        }
    }

    public bool IsArmed(TotemTimer timer) => _due[(int)timer] != Instant.Never;

    public Instant Due(TotemTimer timer) => _due[(int)timer];

    public void Arm(TotemTimer timer, Instant at)
    {
        _due[(int)timer] = at;
        _isStale = true;
    }

    public void Cancel(TotemTimer timer) => Arm(timer, Instant.Never);

    /// <summary>Cancels and reports a timer that is due at <paramref name="now"/>.</summary>
    public bool TryTake(TotemTimer timer, Instant now)
    {
        if (_due[(int)timer] > now) return false;
        Cancel(timer);
        return true;
    }

    /// <summary>Moves every armed timer that is due before <paramref name="earliest"/> to it (after a stall of this node).</summary>
    public void Postpone(Instant earliest)
    {
        for (var i = 0; i < _due.Length; i++)
        {
            if (_due[i] < earliest) _due[i] = earliest;
        }

        _isStale = true;
    }
}
