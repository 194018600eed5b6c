using Membership.Cpg;
using Membership.Links;
using Membership.Totem;

namespace Membership.Invariants;

/// <summary>A membership as its own node asked for it.</summary>
internal sealed class RequestRecord(GroupMember member, string group)
{
    /// <summary>0 until the answer is known.</summary>
    public uint Slot { get; set; }

    public GroupMember Member { get; } = member;

    public string Group { get; } = group;

    public bool IsLeaveAsked { get; set; }

    public bool IsSessionEnded { get; set; }

    public bool IsWanted => !IsLeaveAsked && !IsSessionEnded;
}

/// <summary>A group message as its sender's node accepted it.</summary>
internal sealed class GroupSendRecord(uint slot, ulong hash, int size, DeliveryLevel level)
{
    public uint Slot { get; } = slot;

    public ulong Hash { get; } = hash;

    public int Size { get; } = size;

    public DeliveryLevel Level { get; } = level;

    /// <summary>Delivered at the sender, dropped or failed; null while the sender was told nothing.</summary>
    public string? Outcome { get; set; }
}

/// <summary>One group as one incarnation sees it.</summary>
internal sealed class GroupState(string name)
{
    public string Name { get; } = name;

    public IReadOnlyList<GroupMember> Members { get; set; } = [];

    public ulong Hash { get; set; }

    public ulong Change { get; set; }

    public bool Has(GroupMember member)
    {
        foreach (var one in Members)
        {
            if (one == member) return true;
        }
        return false;
    }

    public bool HasNode(NodeId node)
    {
        foreach (var one in Members)
        {
            if (one.Node == node) return true;
        }
        return false;
    }
}

/// <summary>What one incarnation saw of the groups between two regular views.</summary>
internal sealed class GroupEpoch(IncarnationRecord owner, RingRecord ring, HashSet<ViewMember> known)
{
    public IncarnationRecord Owner { get; } = owner;

    public RingRecord Ring { get; } = ring;

    /// <summary>Incarnations whose members it knew when the view began.</summary>
    public HashSet<ViewMember> Known { get; } = known;

    /// <summary>It saw a member of somebody it did not know when the view began: the join lists must have been in.</summary>
    public bool HasForeign { get; set; }

    /// <summary>When the regular view ended it knew all members, as it says itself.</summary>
    public bool KnowsAll { get; set; }

    /// <summary>Something that has a place in the order was seen.</summary>
    public bool HasOrdered { get; set; }

    /// <summary>Groups that still have members of lost nodes.</summary>
    public HashSet<string> Lost { get; } = [];

    /// <summary>Groups that had their NodeUp.</summary>
    public HashSet<string> Up { get; } = [];

    /// <summary>By other member of the ring: what both have to see in this order.</summary>
    public Dictionary<NodeId, List<ulong>> Shared { get; } = [];

    /// <summary>Lengths of <see cref="Shared"/> where the regular view ended.</summary>
    public Dictionary<NodeId, int>? AtTransitional { get; set; }

    /// <summary>All members of all groups at the end.</summary>
    public ulong MembersHash { get; set; }

    public bool IsKnown(NodeId node)
    {
        foreach (var member in Known)
        {
            if (member.Node == node) return true;
        }
        return false;
    }
}

/// <summary>Groups of one incarnation: what its sessions asked for, and what it saw.</summary>
internal sealed class GroupRecord
{
    public Dictionary<uint, RequestRecord> Requests { get; } = [];

    /// <summary>Of each session and group, oldest first.</summary>
    public Dictionary<(GroupMember Member, string Group), List<RequestRecord>> ByMember { get; } = [];

    public Dictionary<ulong, GroupSendRecord> Sent { get; } = [];

    public Dictionary<string, GroupState> Groups { get; } = [];

    /// <summary>By sender: the last counter delivered.</summary>
    public Dictionary<int, ulong> Last { get; } = [];

    public GroupEpoch? Epoch { get; set; }

    public ulong MembersHash { get; set; }
}
