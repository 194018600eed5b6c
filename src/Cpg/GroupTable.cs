using System.Diagnostics.CodeAnalysis;
using System.Text;
using Membership.Links;
using Membership.Totem;

namespace Membership.Cpg;

/// <summary>One membership as the order made it.</summary>
internal sealed class Membership(uint slot, GroupMember member, Group group)
{
    public uint Slot { get; } = slot;

    public GroupMember Member { get; } = member;

    public Group Group { get; } = group;

    /// <summary>Number of the last join list that confirmed it.</summary>
    public long ConfirmedBy { get; set; }
}

/// <summary>One group with its members.</summary>
internal sealed class Group(string name)
{
    public string Name { get; } = name;

    /// <summary>Ascending; a new array with each change, so that it can be handed out.</summary>
    public GroupMember[] Members { get; set; } = [];

    /// <summary>How many members are at this node.</summary>
    public int LocalMembers { get; set; }

    public ulong Changes { get; set; }

    /// <summary>Place among all groups, by name; valid while a join list is written.</summary>
    public uint Rank { get; set; }

    /// <summary>Members that come or go with the change that is being put together.</summary>
    public List<GroupMember> Staged { get; } = [];

    /// <summary>Memberships of the group that exist or are staged: it is forgotten with the last one.</summary>
    public int Memberships { get; set; }
}

/// <summary>Members of all groups of one node.</summary>
internal sealed class NodeMembers(ViewMember name)
{
    public ViewMember Name { get; } = name;

    public Dictionary<uint, Membership> Slots { get; } = [];
}

/// <summary>The ordered state: which nodes are known here, and the members of their groups. Pure structure.</summary>
/// <remarks>A change is staged membership by membership, then <see cref="Emit"/> makes one event per group of it.</remarks>
internal sealed class GroupTable(NodeId self)
{
    private readonly Dictionary<string, Group> _groups = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeId, NodeMembers> _nodes = [];
    private readonly List<Group> _touched = [];
    private long _confirmation;

    /// <summary>Nodes whose groups are known here, this one included.</summary>
    public int NodeCount => _nodes.Count;

    /// <summary>All groups with members, ascending by bytes of their names.</summary>
    public Group[] Groups()
    {
        var groups = new Group[_groups.Count];
        _groups.Values.CopyTo(groups, 0);
        Array.Sort(groups, static (left, right) => GroupName.Compare(left.Name, right.Name));
        return groups;
    }

    public IReadOnlyList<GroupMember> MembersOf(string name) => _groups.TryGetValue(name, out var group) ? group.Members : [];

    /// <summary>The members of an incarnation, when its groups are known here.</summary>
    public bool TryNode(NodeId node, ulong boot, [NotNullWhen(true)] out NodeMembers? members) =>
        _nodes.TryGetValue(node, out members) && members.Name.Boot == boot;

    public NodeMembers AddNode(ViewMember name)
    {
        var members = new NodeMembers(name);
        _nodes.Add(name.Node, members);
        return members;
    }

    /// <summary>Stages the end of everything of the nodes that are not in the set.</summary>
    public void StageOnly(HashSet<ViewMember> kept)
    {
        foreach (var node in _nodes.Values.Where(node => !kept.Contains(node.Name)).OrderBy(node => node.Name.Node).ToArray())
        {
            foreach (var membership in node.Slots.Values) StageMember(membership);
            _nodes.Remove(node.Name.Node);
        }
    }

    /// <summary>Stages a new membership; null when it is one, else why not.</summary>
    public GroupError? StageJoin(NodeMembers node, uint slot, uint session, uint pid, ReadOnlySpan<byte> name)
    {
        if (!GroupName.IsWellFormed(name)) return GroupError.BadName;
        if (node.Slots.ContainsKey(slot)) return GroupError.SlotTaken;
        if (node.Slots.Count >= CpgOptions.MembershipsPerNodeMax) return GroupError.TooMany;
        var group = FindOrAdd(name);
        var member = new GroupMember(node.Name.Node, pid, session);
        if (Array.BinarySearch(group.Members, member) >= 0)
        {
            Forget(group);
            return GroupError.AlreadyMember;
        }

        var membership = new Membership(slot, member, group) { ConfirmedBy = _confirmation };
        node.Slots.Add(slot, membership);
        group.Memberships++;
        Touch(group, member);
        return null;
    }

    /// <summary>Stages the end of a membership.</summary>
    public void StageLeave(NodeMembers node, Membership membership)
    {
        node.Slots.Remove(membership.Slot);
        StageMember(membership);
    }

    /// <summary>Begins to compare a node with its own list: what <see cref="IsConfirmed"/> is not called for afterwards is a ghost.</summary>
    public void BeginConfirmation() => _confirmation++;

    /// <summary>The node's own list has this membership: true when it is known here.</summary>
    public bool IsConfirmed(NodeMembers node, uint slot)
    {
        if (!node.Slots.TryGetValue(slot, out var membership)) return false;
        membership.ConfirmedBy = _confirmation;
        return true;
    }

    /// <summary>What the node's own list did not have.</summary>
    public Membership[] Unconfirmed(NodeMembers node) =>
        [.. node.Slots.Values.Where(membership => membership.ConfirmedBy != _confirmation).OrderBy(membership => membership.Slot)];

    /// <summary>Carries out what is staged: one event per group, ascending by name.</summary>
    public int Emit(GroupReason reason, ViewId view, ICpgEffects effects)
    {
        if (_touched.Count == 0) return 0;
        if (_touched.Count > 1) _touched.Sort(static (left, right) => GroupName.Compare(left.Name, right.Name));
        var isJoin = reason is GroupReason.Join or GroupReason.NodeUp;
        foreach (var group in _touched)
        {
            GroupMember[] staged = [.. group.Staged];
            group.Staged.Clear();
            Array.Sort(staged);
            group.Members = isJoin ? Union(group.Members, staged) : Except(group.Members, staged);
            foreach (var member in staged)
            {
                if (member.Node == self) group.LocalMembers += isJoin ? 1 : -1;
            }

            Forget(group);
            effects.Changed(new GroupChange(group.Name, view, group.Members, isJoin ? staged : [], isJoin ? [] : staged, reason, ++group.Changes));
        }

        var events = _touched.Count;
        _touched.Clear();
        return events;
    }

    private void StageMember(Membership membership)
    {
        membership.Group.Memberships--;
        Touch(membership.Group, membership.Member);
    }

    private void Touch(Group group, GroupMember member)
    {
        if (group.Staged.Count == 0) _touched.Add(group);
        group.Staged.Add(member);
    }

    private Group FindOrAdd(ReadOnlySpan<byte> utf8)
    {
        Span<char> name = stackalloc char[GroupName.BytesMax];
        name = name[..Encoding.UTF8.GetChars(utf8, name)];
        var byName = _groups.GetAlternateLookup<ReadOnlySpan<char>>();
        if (byName.TryGetValue(name, out var known)) return known;
        var fresh = new Group(name.ToString());
        _groups.Add(fresh.Name, fresh);
        return fresh;
    }

    private void Forget(Group group)
    {
        if (group.Memberships == 0) _groups.Remove(group.Name);
    }

    private static GroupMember[] Union(GroupMember[] members, GroupMember[] joined)
    {
        var all = new GroupMember[members.Length + joined.Length];
        var (from, with) = (0, 0);
        for (var i = 0; i < all.Length; i++)
        {
            all[i] = with == joined.Length || (from < members.Length && members[from] < joined[with]) ? members[from++] : joined[with++];
        }

        return all;
    }

    private static GroupMember[] Except(GroupMember[] members, GroupMember[] left)
    {
        var rest = new GroupMember[members.Length - left.Length];
        var (at, without) = (0, 0);
        foreach (var member in members)
        {
            if (without < left.Length && member == left[without]) without++;
            else rest[at++] = member;
        }

        return rest;
    }
}
