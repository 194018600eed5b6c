using Membership.Links;

namespace Membership.Totem;

// Taking frames in, and handing messages up in their one order.
public sealed partial class TotemNode
{
    private readonly Reassembly[] _reassembly;

    private void OnData(Instant now, int peer, ReadOnlySpan<byte> packet, ITotemEffects effects)
    {
        if (!DataFrame.TryRead(packet, out var frame) || !_nodes.TryPosition(frame.Sender, out var sender))
        {
            Malformed(peer, "frame", effects);
            return;
        }

        if (packet.Length > FrameBytesMax + (frame.IsEncapsulated ? DataFrame.HeaderBytes : 0))
        {
            Malformed(peer, "frame too large to be carried through a recovery", effects);
            return;
        }

        // This node has all it ever sent: what comes in its name is a copy, or forged.
        if (sender == _self)
        {
            Counters.FramesDuplicate++;
            return;
        }

        var ring = frame.Ring;
        if (ring == _ring && State is TotemState.Operational or TotemState.Gather)
        {
            if (IsNumberedWithoutToken(peer, frame.Seq, effects)) return;
            if (!_members.Contains(peer) || !_members.Contains(sender) || !Store(_window, frame)) return;
            if (State != TotemState.Operational) return;
            NoteProgress(frame.Seq);
            DeliverReady(effects);
            return;
        }

        // The ring to come numbers its frames from the first token on; what other members already order there is kept until this node installs it.
        if (State == TotemState.Recovery && ring == _commit.Ring && _commit.Members.Contains(peer) && _commit.Members.Contains(sender))
        {
            if (IsNumberedWithoutToken(peer, frame.Seq, effects)) return;
            if (!Store(_forming, frame)) return;
            NoteProgress(frame.Seq);
            if (frame.IsEncapsulated) TakeRecovered(frame);
            return;
        }

        Counters.FramesForeign++;
    }

    /// <summary>While the token is here, or does not exist yet, nobody else can have given a number beyond it.</summary>
    private bool IsNumberedWithoutToken(int peer, Seq seq, ITotemEffects effects)
    {
        var isBeforeFirst = State == TotemState.Recovery && _commit.Members.First == _self && !_hasOriginatedToken;
        if (!isBeforeFirst && (!_isHolding || seq <= _token.Seq)) return false;
        Malformed(peer, "frame numbered without the token", effects);
        return true;
    }

    private bool Store(MessageWindow window, in DataFrame frame)
    {
        if (!window.TryAdd(frame.Seq, frame.Bytes))
        {
            Counters.FramesDuplicate++;
            return false;
        }

        Counters.FramesReceived++;
        return true;
    }

    /// <summary>A frame numbered after the token left here: the successor has the token.</summary>
    private void NoteProgress(Seq seq)
    {
        if (seq > _previousSeq && !_isHolding) _timers.Cancel(TotemTimer.TokenRetransmit);
    }

    /// <summary>Delivers in order what may be delivered in the regular view: no gap before it, and safe messages only when stable.</summary>
    private void DeliverReady(ITotemEffects effects)
    {
        while (_window.Delivered < _window.Aru)
        {
            var seq = _window.Delivered.Next;
            var frame = DataFrame.Trusted(_window[seq]);
            if (frame.IsSafe && seq > _window.Stable) break;
            _window.MarkDelivered(seq);
            DeliverFrame(frame, effects);
        }

        _window.Release(_window.Stable);
    }

    private void DeliverFrame(in DataFrame frame, ITotemEffects effects)
    {
        if (frame.IsEncapsulated) return;
        var sender = _nodes.Position(frame.Sender);
        var pieces = new PieceReader(frame.Body);
        for (var index = 0; pieces.TryNext(out var piece); index++)
        {
            var counter = frame.FirstCounter + (ulong)index;
            if (!piece.IsWhole && !_reassembly[sender].Add(counter, piece)) continue;
            var payload = piece.IsWhole ? piece.Payload : _reassembly[sender].Message;
            var delivery = new Delivery(
                frame.Ring, frame.Seq, index, frame.Sender, _memberBoots[sender], counter, piece.Level, piece.Service);
            if (sender == _self) NoteOwnDelivery(counter);
            Counters.MessagesDelivered++;
            Counters.BytesDelivered += payload.Length;
            effects.Deliver(delivery, payload);
            if (!piece.IsWhole) _reassembly[sender].Reset();
        }
    }

    private void NoteOwnDelivery(ulong counter)
    {
        Invariant.Holds(counter == _deliveredCounter + 1, "TOTEM-8");
        _deliveredCounter = counter;
        Counters.MessagesSent++;
    }
}
