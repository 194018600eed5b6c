namespace Membership.Cpg;

/// <summary>Why a message of the groups' service was dropped. All members of a view that share their groups drop the same ones.</summary>
public enum GroupError
{
    /// <summary>No kind of message, or flags that are not known.</summary>
    UnknownKind,

    /// <summary>It ends too early, has bytes left over, or holds a number that is out of its range.</summary>
    Malformed,

    /// <summary>A group name that is too long, empty, no UTF-8, or has control characters.</summary>
    BadName,

    /// <summary>A join under a slot that is in use.</summary>
    SlotTaken,

    /// <summary>A session joins a group in which it is.</summary>
    AlreadyMember,

    /// <summary>A message or leave of a membership that does not exist.</summary>
    UnknownSlot,

    /// <summary>More memberships of one node than <see cref="CpgOptions.MembershipsPerNodeMax"/>.</summary>
    TooMany,

    /// <summary>A join list of another view, or one that is not asked for. Common after a view that did not last.</summary>
    StaleJoinList,

    /// <summary>From a node whose groups are not known here, because the view ended before the join lists were in. Common after a view that did not last.</summary>
    NotSynchronised,
}

/// <summary>Counters of the groups since the start of this node.</summary>
public sealed class CpgCounters
{
    private readonly long[] _dropped = new long[(int)GroupError.NotSynchronised + 1];

    /// <summary>Messages of members in the order, before it is asked who gets them.</summary>
    public long Messages { get; internal set; }

    /// <summary>Changes of membership, counted per group.</summary>
    public long Changes { get; internal set; }

    /// <summary>Join lists exchanges that ended with all lists.</summary>
    public long Synchronisations { get; internal set; }

    /// <summary>Exchanges of join lists that the end of their view cut off.</summary>
    public long SynchronisationsCut { get; internal set; }

    /// <summary>Memberships that a join list of their own node did not confirm. Anything but zero is our mistake.</summary>
    public long Ghosts { get; internal set; }

    /// <summary>Messages dropped for this reason.</summary>
    public long Dropped(GroupError error) => _dropped[(int)error];

    internal void Drop(GroupError error) => _dropped[(int)error]++;
}
