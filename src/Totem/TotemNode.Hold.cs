using Membership.Links;

namespace Membership.Totem;

// Holding the idle token, and asking for it (deviation D5).
public sealed partial class TotemNode
{
    private static readonly TimeSpan LingerIdle = TimeSpan.FromMicroseconds(500);
    private static readonly TimeSpan LingerMax = TimeSpan.FromMilliseconds(3);

    private bool _isHolding;
    private Instant _lingerEnd;
    private int _lingerBytes;
    private bool _hasAsked;

    private void Hold(Instant now, Instant until)
    {
        _isHolding = true;
        _lingerEnd = default;
        _lingerBytes = 0;
        _timers.Cancel(TotemTimer.TokenRetransmit);
        if (IsAlone)
        {
            _timers.Cancel(TotemTimer.TokenLoss);
            _timers.Arm(TotemTimer.Hold, now + HoldTime);
            return;
        }

        _timers.Arm(TotemTimer.Hold, until);
        _timers.Arm(TotemTimer.TokenLoss, until + _options.Token);
    }

    /// <summary>New messages while the token is here: they are ordered at once. A lone sender keeps the token a moment for its next one.</summary>
    private void UseHeld(Instant now, ITotemEffects effects)
    {
        if (IsAlone)
        {
            OrderAlone(effects);
            return;
        }

        var tail = Seq.None;
        var budget = Math.Min(_options.VisitBytes, _options.WindowBytes / 2) - _lingerBytes;
        if (MaySendNew()) _lingerBytes += SendNew(budget, ref tail, effects);
        if (tail != Seq.None) SendTail(tail, effects);
        _token.LastSender = _options.Self;
        _token.IdleRotations = 0;
        if (!_queue.IsEmpty || _lingerBytes > _options.VisitBytes / 2 || HasUnstableSafe()) PassHeld(now, effects);
        else Linger(now);
        effects.Flush();
        DeliverReady(effects);
    }

    /// <summary>A ring of one: every message is ordered, stable and delivered at once.</summary>
    private void OrderAlone(ITotemEffects effects)
    {
        do
        {
            var tail = Seq.None;
            SendNew(_options.VisitBytes, ref tail, effects);
            UpdateAru(Seq.None);
            _window.Release(_window.Aru);
            DeliverReady(effects);
        }
        while (!_queue.IsEmpty);
    }

    private bool HasUnstableSafe()
    {
        for (var seq = _window.Delivered.Next; seq <= _window.Aru; seq = seq.Next)
        {
            if (DataFrame.Trusted(_window[seq]).IsSafe) return true;
        }

        return false;
    }

    private void Linger(Instant now)
    {
        if (_lingerEnd == default) _lingerEnd = now + LingerMax;
        _timers.Cancel(TotemTimer.Hold);
        var until = now + LingerIdle;
        _timers.Arm(TotemTimer.Linger, until < _lingerEnd ? until : _lingerEnd);
        _timers.Arm(TotemTimer.TokenLoss, now + _options.Token);
    }

    private void ReleaseHeld(Instant now, ITotemEffects effects)
    {
        if (!_isHolding || State != TotemState.Operational) return;
        if (IsAlone) ConfirmAlone(now, effects);
        else PassHeld(now, effects);
    }

    /// <summary>To a node alone the token comes back whenever it looks.</summary>
    private void ConfirmAlone(Instant now, ITotemEffects effects)
    {
        effects.RingConfirmed(_ring, now);
        _timers.Arm(TotemTimer.Hold, now + HoldTime);
    }

    private void PassHeld(Instant now, ITotemEffects effects)
    {
        StopHolding();
        _token.FlowBytes = _flow.FlowAfter(_token.FlowBytes, _lingerBytes);
        _token.BacklogBytes = _flow.BacklogAfter(_token.BacklogBytes, _queue.Bytes);
        UpdateAru(Seq.None);
        _timers.Arm(TotemTimer.TokenLoss, now + _options.Token);
        PassToken(now, effects);
    }

    private void StopHolding()
    {
        _isHolding = false;
        _timers.Cancel(TotemTimer.Hold);
        _timers.Cancel(TotemTimer.Linger);
    }

    /// <summary>A message waits and the token may be held elsewhere: ask at once when it was idle, else when it does not come soon.</summary>
    private void ScheduleAsking(Instant now, ITotemEffects effects)
    {
        if (_token.IdleRotations >= IdleRotationsToHold - 1) AskForToken(now, effects);
        else _timers.Arm(TotemTimer.HoldCancel, now + AskAfter);
    }

    private TimeSpan AskAfter => _rotation * 2 > AskMin ? _rotation * 2 : AskMin;

    private static readonly TimeSpan AskMin = TimeSpan.FromMicroseconds(300);
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>Asks the holder; when that did not help, everybody: the token may have been lost on its way to it.</summary>
    private void AskForToken(Instant now, ITotemEffects effects)
    {
        if (State != TotemState.Operational || _isHolding || _queue.IsEmpty || IsAlone) return;
        Span<byte> packet = stackalloc byte[32];
        var writer = new PacketWriter(packet);
        writer.Byte((byte)PacketKind.HoldCancel);
        writer.Ring(_ring);
        var isHolderKnown = _nodes.TryPosition(_token.LastSender, out var holder) && _members.Contains(holder) && holder != _self;
        if (isHolderKnown && !_hasAsked) effects.SendTo(holder, packet[..writer.Length]);
        else effects.Send(_members, packet[..writer.Length]);
        if (_hasAsked) RepeatToken(now);
        effects.Flush();
        _hasAsked = true;
        _timers.Arm(TotemTimer.HoldCancel, now + AskAgain);
    }

    /// <summary>A token sent from here may be lost: do not wait as long as an idle ring allows.</summary>
    private void RepeatToken(Instant now)
    {
        if (_timers.IsArmed(TotemTimer.TokenRetransmit) && _timers.Due(TotemTimer.TokenRetransmit) > now + RetransmitStart)
            _timers.Arm(TotemTimer.TokenRetransmit, now);
    }

    private void OnHoldCancel(Instant now, int peer, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        var reader = new PacketReader(packet);
        var ring = reader.Ring();
        if (!reader.IsComplete)
        {
            Malformed(peer, "hold cancel", effects);
            return;
        }

        if (ring != _ring || State != TotemState.Operational) return;
        if (!_isHolding)
        {
            RepeatToken(now);
            return;
        }

        _token.IdleRotations = 0;
        ReleaseHeld(now, effects);
    }
}
