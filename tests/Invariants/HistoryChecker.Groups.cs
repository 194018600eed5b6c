using Membership.Cpg;
using Membership.Links;
using Membership.Totem;

namespace Membership.Invariants;

/// <summary>What an event of a group can break: I33 to I40.</summary>
/// <remarks>
/// An incarnation <i>knows</i> another while it has that one's members in its groups. Who knows whom follows from the views: who came along stays known, all
/// others of a view become known at once, or not at all when the view ends before (docs/protocol/deviations.md, D18).
/// </remarks>
public sealed partial class HistoryChecker
{
    private readonly Dictionary<ViewId, List<GroupEpoch>> _closedThrough = [];
    private readonly List<GroupEpoch> _groupEpochs = [];

    /// <summary>Messages of groups delivered, counted at every incarnation.</summary>
    public long GroupDeliveries { get; private set; }

    /// <summary>Changes of groups, counted at every incarnation.</summary>
    public long GroupChanges { get; private set; }

    /// <summary>A regular view ends: whether the node had the join lists of all its members, or needed none. Called before the transitional view.</summary>
    public void GroupsKnown(int incarnation, bool all)
    {
        if (_incarnations[incarnation].Groups.Epoch is { } epoch) epoch.KnowsAll = all;
    }

    /// <summary>A session asks to join. Called before the node is asked: it may deliver the join before it answers. <see cref="GroupJoined"/> follows.</summary>
    public void GroupJoining(int incarnation, uint session, uint pid, string group)
    {
        var node = _incarnations[incarnation];
        var key = (new GroupMember(node.Name.Node, pid, session), group);
        if (!node.Groups.ByMember.TryGetValue(key, out var requests)) node.Groups.ByMember.Add(key, requests = []);
        requests.Add(new RequestRecord(key.Item1, group));
    }

    /// <summary>The answer to <see cref="GroupJoining"/>: a slot, or null when it was refused.</summary>
    public void GroupJoined(int incarnation, uint session, uint pid, string group, uint? slot)
    {
        var node = _incarnations[incarnation];
        var requests = node.Groups.ByMember[(new GroupMember(node.Name.Node, pid, session), group)];
        if (slot is not { } given)
        {
            requests.RemoveAt(requests.Count - 1);
            return;
        }

        requests[^1].Slot = given;
        if (!node.Groups.Requests.TryAdd(given, requests[^1])) Broken("I33", $"{node} gave slot {given} twice");
    }

    /// <summary>A membership asks to leave. Called before the node is asked.</summary>
    public void GroupLeft(int incarnation, uint slot) => _incarnations[incarnation].Groups.Requests[slot].IsLeaveAsked = true;

    /// <summary>A session ends. Called before the node is told.</summary>
    public void SessionEnded(int incarnation, uint session)
    {
        foreach (var request in _incarnations[incarnation].Groups.Requests.Values)
        {
            if (request.Member.Session == session) request.IsSessionEnded = true;
        }
    }

    /// <summary>A message to a group was accepted.</summary>
    public void GroupSent(int incarnation, ulong counter, uint slot, ulong hash, int size, DeliveryLevel level)
    {
        var node = _incarnations[incarnation];
        if (!node.Groups.Sent.TryAdd(counter, new GroupSendRecord(slot, hash, size, level)))
            Broken("I39", $"{node} accepted two group messages under the counter {counter}");
    }

    /// <summary>The sender was told that nobody gets its message.</summary>
    public void GroupDropped(int incarnation, ulong counter)
    {
        var node = _incarnations[incarnation];
        Tell(node, counter, "dropped");
        if (node.Groups.Sent.TryGetValue(counter, out var sent) && node.Groups.Requests[sent.Slot].IsWanted)
            Broken("I39", $"{node} dropped group message {counter}, though its sender is still a member");
    }

    /// <summary>The membership of a group changed.</summary>
    public void GroupChanged(int incarnation, long at, GroupChange change)
    {
        var node = _incarnations[incarnation];
        GroupChanges++;
        if (!IsInView(node, change.View, $"{change.Reason} of group {change.Group}")) return;
        var epoch = node.Groups.Epoch!; // IsInView saw it
        if (!node.Groups.Groups.TryGetValue(change.Group, out var group)) node.Groups.Groups.Add(change.Group, group = new GroupState(change.Group));
        CheckLists(node, group, change);
        if (change.Reason == GroupReason.NodeDown) CheckNodeDown(node, epoch, group, change);
        else CheckLostAreGone(node, epoch, $"{change.Reason} of group {change.Group}");
        if (change.Reason == GroupReason.NodeUp) CheckNodeUp(node, epoch, change);
        Adopt(node, group, change);
        foreach (var member in change.Joined) CheckAsked(node, epoch, member, change);
        if (change.Reason is GroupReason.NodeDown or GroupReason.NodeUp) return;
        epoch.HasOrdered = true;
        foreach (var member in change.Left) CheckAsked(node, epoch, member, change);
        if (change.Joined.Count + change.Left.Count != 1)
            Broken("I35", $"{node} reports {change.Joined.Count + change.Left.Count} members in one {change.Reason} of group {change.Group}");
        if (change.Joined.Any(member => !epoch.IsKnown(member.Node))) epoch.HasForeign = true;
        var mark = Mix(group.Hash ^ ((ulong)change.Reason + 1)) ^ Mix((ulong)Code(change.Group));
        foreach (var member in epoch.Ring.Regular!.Members) Share(epoch, member.Node, mark);
    }

    /// <summary>A message of a group was handed to this node's sessions.</summary>
    public void GroupMessage(int incarnation, long at, in GroupDelivery message, ulong hash, int size)
    {
        var node = _incarnations[incarnation];
        GroupDeliveries++;
        var what = $"message {message.Order.Counter} of {Text([message.Sender])} in group {message.Group}";
        if (!IsInView(node, message.View, what)) return;
        var epoch = node.Groups.Epoch!; // IsInView saw it
        if (message.Order.Ring != epoch.Ring.Id) Broken("I38", $"{node} delivered {what}, ordered by ring {message.Order.Ring}, in the view of ring {epoch.Ring.Id}");
        CheckLostAreGone(node, epoch, what);
        epoch.HasOrdered = true;
        if (!epoch.IsKnown(message.Order.Sender)) epoch.HasForeign = true;
        if (!node.Groups.Groups.TryGetValue(message.Group, out var group) || !group.Has(message.Sender) || message.Sender.Node != message.Order.Sender)
        {
            Broken("I36", $"{node} delivered {what}, whose sender is no member there: ({Text(group?.Members ?? [])})");
            return;
        }

        if (!group.HasNode(node.Name.Node)) Broken("I34", $"{node} delivered {what} without having a member in the group: before its join, or after its leave");
        CheckWhatWasSent(node, message, hash, size, what);
        var mark = Mix(group.Hash ^ message.Order.Counter) ^ Mix(((ulong)message.Sender.Node.Value << 32) | message.Sender.Session) ^ hash;
        foreach (var member in epoch.Ring.Regular!.Members)
        {
            if (group.HasNode(member.Node)) Share(epoch, member.Node, mark);
        }
    }

    private bool IsInView(IncarnationRecord node, ViewId view, string what)
    {
        if (node.Groups.Epoch is not { } epoch)
        {
            Broken("I38", $"{node} reported {what} before its first view");
            return false;
        }

        if (view == ViewId.Regular(epoch.Ring.Id)) return true;
        Broken("I38", $"{node} reported {what} of view {view} in the view of ring {epoch.Ring.Id}");
        return false;
    }

    private void CheckLists(IncarnationRecord node, GroupState group, GroupChange change)
    {
        var expected = group.Members.Except(change.Left).Union(change.Joined).Order().ToList();
        var isSound = change.Left.All(group.Members.Contains) && !change.Joined.Any(group.Members.Contains) &&
            (change.Joined.Count == 0) != (change.Left.Count == 0) &&
            (change.Joined.Count == 0) == (change.Reason is GroupReason.Leave or GroupReason.ProcessDown or GroupReason.NodeDown);
        if (!isSound || !expected.SequenceEqual(change.Members) || !change.Joined.Order().SequenceEqual(change.Joined) || !change.Left.Order().SequenceEqual(change.Left))
        {
            Broken("I35", $"{node} made ({Text(change.Members)}) of group {change.Group} out of ({Text(group.Members)}) with {change.Reason} joined ({Text(change.Joined)}) " +
                $"left ({Text(change.Left)})");
        }

        if (change.Change != group.Change + 1) Broken("I35", $"{node} numbered a change of group {change.Group} {change.Change} after {group.Change}");
    }

    private void CheckNodeDown(IncarnationRecord node, GroupEpoch epoch, GroupState group, GroupChange change)
    {
        if (epoch.HasOrdered || epoch.Up.Count > 0) Broken("I37", $"{node} reported lost nodes of group {change.Group} after something of the view that lost them");
        if (!epoch.Lost.Remove(change.Group)) Broken("I37", $"{node} reported lost nodes of group {change.Group}, of which it had lost none");
        var lost = group.Members.Where(member => !epoch.IsKnown(member.Node));
        if (!lost.SequenceEqual(change.Left)) Broken("I37", $"{node} lost the members ({Text(lost)}) of group {change.Group} and reported ({Text(change.Left)})");
    }

    private void CheckLostAreGone(IncarnationRecord node, GroupEpoch epoch, string what)
    {
        if (epoch.Lost.Count == 0) return;
        Broken("I37", $"{node} reported {what} before the members of lost nodes had left group {epoch.Lost.Order(StringComparer.Ordinal).First()}");
        epoch.Lost.Clear();
    }

    private void CheckNodeUp(IncarnationRecord node, GroupEpoch epoch, GroupChange change)
    {
        if (epoch.HasOrdered) Broken("I37", $"{node} reported joined nodes of group {change.Group} after something of the view that brought them");
        if (!epoch.Up.Add(change.Group)) Broken("I35", $"{node} reported joined nodes of group {change.Group} twice in one view");
        epoch.HasForeign = true;
        foreach (var member in change.Joined)
        {
            if (epoch.IsKnown(member.Node)) Broken("I37", $"{node} reported {Text([member])} of group {change.Group} as of a joined node, which it knew");
        }
    }

    /// <summary>Nobody is a member, or ceases to be one, who did not ask for it.</summary>
    private void CheckAsked(IncarnationRecord node, GroupEpoch epoch, GroupMember member, GroupChange change)
    {
        var name = epoch.Ring.Regular!.Members.FirstOrDefault(one => one.Node == member.Node);
        if (name == default)
        {
            Broken("I36", $"{node} reported {change.Reason} of {Text([member])} in group {change.Group}, whose node is not in the view");
            return;
        }

        var owner = Incarnation(name);
        if (!owner.IsObserved) return;
        if (!owner.Groups.ByMember.TryGetValue((member, change.Group), out var requests) || requests.Count == 0)
        {
            Broken("I36", $"{node} reported {change.Reason} of {Text([member])} in group {change.Group}, who never asked to join it");
            return;
        }

        // A session may have joined anew since: then its latest request says nothing about an earlier one.
        if (change.Reason == GroupReason.Leave && !requests.Exists(one => one.IsLeaveAsked))
            Broken("I35", $"{node} reported that {Text([member])} left group {change.Group}, which it had not asked for");
        if (change.Reason == GroupReason.ProcessDown && !requests[^1].IsSessionEnded)
            Broken("I35", $"{node} reported that the process of {Text([member])} in group {change.Group} is down, which it is not");
    }

    private void CheckWhatWasSent(IncarnationRecord node, in GroupDelivery message, ulong hash, int size, string what)
    {
        var sender = Incarnation(new ViewMember(message.Order.Sender, message.Order.SenderBoot));
        if (node.Groups.Last.TryGetValue(sender.Index, out var last) && message.Order.Counter <= last)
            Broken("I40", $"{node} delivered {what} after message {last} of the same node");
        node.Groups.Last[sender.Index] = message.Order.Counter;
        if (!sender.IsObserved) return;
        if (!sender.Groups.Sent.TryGetValue(message.Order.Counter, out var sent))
        {
            Broken("I36", $"{node} delivered {what}, which was never accepted");
            return;
        }

        var request = sender.Groups.Requests[sent.Slot];
        if (sent.Slot != message.Slot || request.Group != message.Group || request.Member != message.Sender)
            Broken("I36", $"{node} delivered {what} from slot {message.Slot}; sent was from slot {sent.Slot} of {Text([request.Member])} to group {request.Group}");
        if (sent.Hash != hash || sent.Size != size || sent.Level != message.Order.Level)
            Broken("I40", $"{node} delivered {what} with {size} bytes hash {hash:x16}; sent were {sent.Size} bytes hash {sent.Hash:x16}");
        if (sender == node) Tell(node, message.Order.Counter, "delivered");
    }

    /// <summary>A sender hears exactly once of each message.</summary>
    private void Tell(IncarnationRecord node, ulong counter, string outcome)
    {
        if (!node.Groups.Sent.TryGetValue(counter, out var sent))
        {
            Broken("I39", $"{node} was told that group message {counter} was {outcome}, which it had not sent");
            return;
        }

        if (sent.Outcome is { } before) Broken("I39", $"{node} was told that group message {counter} was {outcome} after it was {before}");
        sent.Outcome = outcome;
    }

    private static void Adopt(IncarnationRecord node, GroupState group, GroupChange change)
    {
        node.Groups.MembersHash -= group.Hash;
        group.Members = change.Members;
        group.Change = change.Change;
        group.Hash = (ulong)Code(change.Group);
        foreach (var member in change.Members) group.Hash = Mix(group.Hash ^ ((ulong)member.Node.Value << 48) ^ ((ulong)member.Pid << 24) ^ member.Session);
        if (change.Members.Count == 0) node.Groups.Groups.Remove(group.Name);
        else node.Groups.MembersHash += group.Hash;
    }

    private static void Share(GroupEpoch epoch, NodeId with, ulong mark)
    {
        if (!epoch.Shared.TryGetValue(with, out var marks)) epoch.Shared.Add(with, marks = []);
        marks.Add(mark);
    }

    /// <summary>The same in every process, unlike string.GetHashCode.</summary>
    private static long Code(string text)
    {
        var code = 17UL;
        foreach (var unit in text) code = Mix(code ^ unit);
        return (long)code;
    }

    private static string Text(IEnumerable<GroupMember> members) => string.Join(' ', members.Select(member => $"{member.Node}.{member.Session}"));
}
