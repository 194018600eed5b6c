using Membership.Links;

namespace Membership.Totem;

// A clean stop: what was accepted is ordered and known to be everywhere, then the others are told.
public sealed partial class TotemNode
{
    private const int LeaveRepeats = 3;
    private static readonly TimeSpan LeaveRepeatPace = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LeaveCheckPace = TimeSpan.FromMilliseconds(2);

    private bool _isLeaving;
    private Instant _leaveDeadline;
    private int _leavesSent;

    /// <summary>Leaves the ring: at the latest after the token timeout.</summary>
    public void Leave(Instant now, ITotemEffects effects)
    {
        if (!IsRunning || _isLeaving) return;
        _isLeaving = true;
        _leaveDeadline = now + _options.Token;
        _timers.Cancel(TotemTimer.Settle);
        OnLeaveTimer(now, effects);
    }

    private void OnLeaveTimer(Instant now, ITotemEffects effects)
    {
        if (!IsRunning) return;
        if (!HasSaidGoodbye && now < _leaveDeadline && !IsDrained())
        {
            if (_isHolding && State == TotemState.Operational && !IsAlone) PassHeld(now, effects);
            _timers.Arm(TotemTimer.Leave, now + LeaveCheckPace);
            return;
        }

        foreach (var timer in Enum.GetValues<TotemTimer>().SkipLast(1)) _timers.Cancel(timer);
        Span<byte> packet = stackalloc byte[32];
        var writer = new PacketWriter(packet);
        writer.Byte((byte)PacketKind.Leave);
        writer.Ring(_ring);
        effects.Send(ReachablePeers(), packet[..writer.Length]);
        effects.Flush();
        if (++_leavesSent < LeaveRepeats) _timers.Arm(TotemTimer.Leave, now + LeaveRepeatPace);
        else Stop(effects);
    }

    /// <summary>The others have been told: nothing that comes from them matters any more.</summary>
    private bool HasSaidGoodbye => _leavesSent > 0;

    /// <summary>Everything accepted here is delivered here and known to be at every member; the rest of the ring may be in any state.</summary>
    private bool IsDrained() => _queue.IsEmpty && _deliveredCounter == _counter && _window.Stable >= _lastOwnSeq;

    private void Stop(ITotemEffects effects)
    {
        IsRunning = false;

        // What has a number may still be delivered by the others: only what never got one has certainly failed.
        if (!_queue.IsEmpty)
        {
            for (var counter = _queue.HeadCounter; counter <= _counter; counter++) effects.Failed(counter);
        }

        effects.Left();
    }

    private void OnLeave(Instant now, int position, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        var reader = new PacketReader(packet);
        reader.Ring();
        if (!reader.IsComplete)
        {
            Malformed(position, "leave", effects);
            return;
        }

        if (_peers[position].HasLeft) return;
        _peers[position].HasLeft = true;
        OnPeerLost(now, position, PeerReason.Left, effects);
    }
}
