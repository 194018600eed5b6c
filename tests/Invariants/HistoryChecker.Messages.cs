using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What a delivery can break: I1 to I6, I17 to I22, I26 and I27.</summary>
public sealed partial class HistoryChecker
{
    /// <summary>A message was handed to the application.</summary>
    public void Delivered(int incarnation, long at, in Delivery delivery, ulong hash, int size)
    {
        var node = _incarnations[incarnation];
        var sender = Incarnation(new ViewMember(delivery.Sender, delivery.SenderBoot));
        var message = Message(sender, delivery.Counter);
        Deliveries++;
        node.Events.Add(new HistoryEvent(HistoryEventKind.Deliver, at, message.Graph));

        if (!IsGenuine(node, message, delivery, hash, size) || !IsInItsConfiguration(node, message, delivery)) return;
        if (!TakesItsPlace(node, message, delivery)) return;
        message.DeliveredBy.Add(node.Index);
        RememberWhere(node, message);
        var before = _violations.Count;
        Advance(node, message);
        if (_violations.Count == before) CheckFifo(node, message);
        if (delivery.Level == DeliveryLevel.Safe && !node.View!.Id.IsTransitional) CheckSafeIsInstalled(node, message);
    }

    private bool IsGenuine(IncarnationRecord node, MessageRecord message, in Delivery delivery, ulong hash, int size)
    {
        if (!message.IsSent && (message.Sender.RecordsSends || options.AllObserved))
            return Refuse("I1", $"{node} delivered {message}, which nobody had sent", message);
        if (message.DeliveredBy.Contains(node.Index))
            return Refuse("I2", $"{node} delivered {message} twice", message);
        if (message.IsSent && (message.Hash != hash || message.Size != size || message.Level != delivery.Level))
        {
            return Refuse("I5", $"{node} delivered {message} with {size} bytes hash {hash:x16} {delivery.Level}, sent were {message.Size} bytes hash " +
                $"{message.Hash:x16} {message.Level}", message);
        }
        if (message.IsSent) return true;

        // A sender that records nothing: the first delivery stands for what was sent.
        (message.IsSent, message.Hash, message.Size, message.Level) = (true, hash, size, delivery.Level);
        return true;
    }

    private bool IsInItsConfiguration(IncarnationRecord node, MessageRecord message, in Delivery delivery)
    {
        if (node.View is null || node.Epoch is not { } epoch)
            return Refuse("I9", $"{node} delivered {message} before its first view", message);
        if (epoch.Ring.Id != delivery.Ring)
            return Refuse("I3", $"{node} delivered {message}, ordered by ring {delivery.Ring}, in {node.View}", message);
        if (message.IsFailed) return Refuse("I24", $"{node} delivered {message}, which its sender had withdrawn", message);
        if (message.Ring is { } ring && ring != epoch.Ring)
            return Refuse("I4", $"{node} delivered {message} as of ring {delivery.Ring}; elsewhere it was of ring {ring.Id}", message);
        if (!epoch.Ring.Regular!.MemberSet.Contains(message.Sender.Index))
            return Refuse("I6", $"{node} delivered {message} in {node.View}, to whose ring its sender does not belong", message);
        if (message.Ring is null && message.Sender.IsObserved && !SenderWasThere(message, epoch.Ring))
            return Refuse("I4", $"{node} delivered {message} of ring {delivery.Ring}, in which its sender was not when it sent it or later", message);
        return true;
    }

    private static bool SenderWasThere(MessageRecord message, RingRecord ring)
    {
        if (message.Sender.EpochOf(ring) is not { } epoch) return message.Sender.JoinsLate;
        return message.Sender.Epochs.IndexOf(epoch) + 1 >= message.ViewsAtSend;
    }

    /// <summary>Gives a message its place in the order of its ring, or compares it with the place it has.</summary>
    private bool TakesItsPlace(IncarnationRecord node, MessageRecord message, in Delivery delivery)
    {
        var ring = node.Epoch!.Ring;
        if (message.Ring is not null)
        {
            return message.CompareOrder(delivery.Seq.Value, delivery.Index) == 0 ||
                Refuse("I17", $"{node} delivered {message} as seq {delivery.Seq}.{delivery.Index}", message);
        }
        var place = ring.Order.Count;
        if (place > 0 && ring.Order[^1].CompareOrder(delivery.Seq.Value, delivery.Index) >= 0) place = ring.Find(delivery.Seq.Value, delivery.Index);
        if (place < ring.Order.Count && ring.Order[place].CompareOrder(delivery.Seq.Value, delivery.Index) == 0)
            return Refuse("I17", $"{node} delivered {message} as seq {delivery.Seq}.{delivery.Index}, the place of {ring.Order[place]}", message);

        (message.Ring, message.Seq, message.Index) = (ring, delivery.Seq.Value, delivery.Index);
        ring.Order.Insert(place, message);
        if (place < ring.Order.Count - 1) AppearsLate(ring, message, place, node);
        if (message.SeenRing == ring && message.CompareOrder(message.SeenSeq, message.SeenIndex) <= 0)
        {
            Broken("I21", $"{message} was sent after its sender had delivered seq {message.SeenSeq}.{message.SeenIndex}, yet is ordered before it", Who(message));
        }
        if (message.Sender.EpochOf(ring) is { IsClosed: true, IsPartial: false } own && message.Sender != node)
        {
            Broken("I22", $"{own.Owner} left ring {ring.Id} without delivering its own {message}", Who(message));
        }
        return true;
    }

    /// <summary>A message turns up behind places others have passed: they skipped it.</summary>
    private void AppearsLate(RingRecord ring, MessageRecord message, int place, IncarnationRecord node)
    {
        foreach (var epoch in ring.Epochs)
        {
            if (epoch.Position <= place || (epoch.IsPartial && epoch.RegularEnd == 0)) continue;
            epoch.Position++;
            if (epoch.FirstSkipped > place) epoch.FirstSkipped++;
            var passedInRegular = place < epoch.RegularEnd;
            if (passedInRegular) epoch.RegularEnd++;
            if (epoch.Owner == node) continue;
            Skipped(epoch, message, place, passedInRegular);
            if (passedInRegular) continue;
            for (var later = place + 1; later < epoch.Position; later++)
            {
                if (ring.Order[later].DeliveredBy.Contains(epoch.Owner.Index)) CheckAfterSkip(epoch, ring.Order[later], later);
            }
        }
    }

    private static void RememberWhere(IncarnationRecord node, MessageRecord message)
    {
        if (!node.View!.Id.IsTransitional) message.InRegular = true;
        else if (message.InTransitional is null) message.InTransitional = [node.View];
        else if (!message.InTransitional.Contains(node.View)) message.InTransitional.Add(node.View);
    }

    private void Advance(IncarnationRecord node, MessageRecord message)
    {
        var epoch = node.Epoch!;
        var order = epoch.Ring.Order;
        var place = epoch.Position >= 0 && epoch.Position < order.Count && ReferenceEquals(order[epoch.Position], message)
            ? epoch.Position
            : epoch.Ring.Find(message.Seq, message.Index);
        var inRegular = !node.View!.Id.IsTransitional;
        if (epoch.Position > place)
        {
            Broken("I17", $"{node} delivered {message} after {order[epoch.Position - 1]}", Who(message));
            return;
        }
        for (var skipped = Math.Max(epoch.Position, epoch.Position < 0 ? place : 0); skipped < place; skipped++)
        {
            Skipped(epoch, order[skipped], skipped, inRegular);
        }
        epoch.Position = place + 1;
        if (inRegular) epoch.RegularEnd = place + 1;
        else CheckAfterSkip(epoch, message, place);
        epoch.Count++;
        epoch.Chain = Mix(epoch.Chain ^ ((ulong)message.Graph + 1));
    }

    private void Skipped(Epoch epoch, MessageRecord skipped, int place, bool inRegular)
    {
        if (inRegular)
        {
            var rule = skipped.Level == DeliveryLevel.Safe ? "I27" : "I18";
            Broken(rule, $"{epoch.Owner} passed over {skipped} in the regular view of ring {epoch.Ring.Id}", Who(skipped));
            return;
        }
        if (epoch.FirstSkipped < 0 || place < epoch.FirstSkipped) epoch.FirstSkipped = place;
        if (epoch.Transitional is { } view && view.MemberSet.Contains(skipped.Sender.Index))
            Broken("I19", $"{epoch.Owner} passed over {skipped} in {view}, to which its sender belongs", Who(skipped));
    }

    /// <summary>After a gap only messages of those who come along, or came along in a recovery that failed (I28), are delivered.</summary>
    private void CheckAfterSkip(Epoch epoch, MessageRecord message, int place)
    {
        if (epoch.FirstSkipped < 0 || place < epoch.FirstSkipped || epoch.Transitional is not { } view) return;
        if (!options.RecoveriesRecorded || view.MemberSet.Contains(message.Sender.Index)) return;
        if (epoch.Recovered.Contains(message.Sender.Name.Node)) return;
        Broken("I19", $"{epoch.Owner} delivered {message} in {view} after a gap, though its sender does not come along", Who(message), Who(epoch.Ring.Order[epoch.FirstSkipped]));
    }

    /// <summary>I20: counters of a sender rise, and none that was sent is missing while the two stay together.</summary>
    private void CheckFifo(IncarnationRecord node, MessageRecord message)
    {
        var sender = message.Sender;
        while (node.Fifo.Count <= sender.Index) node.Fifo.Add(default);
        var (last, together) = node.Fifo[sender.Index];
        node.Fifo[sender.Index] = (message.Counter, node.View!.MemberSet.Contains(sender.Index));
        if (message.Counter < last)
        {
            Broken("I20", $"{node} delivered {message} after number {last} of the same sender", Who(message));
            return;
        }
        if (!together || last == 0 || !node.View!.MemberSet.Contains(sender.Index)) return;
        for (var missing = last + 1; missing < message.Counter; missing++)
        {
            if (sender.Messages[(int)missing] is { IsSent: true, IsFailed: false } hole)
            {
                Broken("I20", $"{node} delivered {message} without {hole} of the same sender before it", Who(message), Who(hole));
                return;
            }
        }
    }

    private void CheckSafeIsInstalled(IncarnationRecord node, MessageRecord message)
    {
        var ring = message.Ring!;
        if (ring.IsInstalledByAll) return;
        foreach (var member in ring.Regular!.Members)
        {
            var incarnation = Incarnation(member);
            if (incarnation.IsObserved && !incarnation.HasInstalled(ring))
            {
                Broken("I26", $"{node} delivered safe {message} in {ring.Regular}, which {incarnation} had not installed", Who(message));
                return;
            }
        }
        ring.IsInstalledByAll = true;
    }

    private bool Refuse(string id, string sentence, MessageRecord message)
    {
        Broken(id, sentence, Who(message));
        return false;
    }

    private static ulong Mix(ulong value)
    {
        value *= 0x9E3779B97F4A7C15;
        return value ^ (value >> 29);
    }
}
