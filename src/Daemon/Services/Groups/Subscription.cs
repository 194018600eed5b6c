namespace Membership.Daemon.Services.Groups;

/// <summary>One reader's interest in one group, from one place of the order to another: a membership of a session, or a watch.</summary>
internal sealed class Subscription
{
    private long _first = long.MaxValue;
    private long _last = long.MaxValue;

    /// <param name="reader">Who reads.</param>
    /// <param name="group">The daemon's number of the group.</param>
    /// <param name="name">Of the group.</param>
    /// <param name="handle">The client's number of the membership; 0 for a watch.</param>
    /// <param name="withoutOwn">Messages of the reader's own session are left out.</param>
    public Subscription(GroupReader reader, uint group, string name, uint handle, bool withoutOwn) =>
        (Reader, Group, Name, Handle, WithoutOwn) = (reader, group, name, handle, withoutOwn);

    /// <summary>Who reads.</summary>
    public GroupReader Reader { get; }

    /// <summary>The daemon's number of the group.</summary>
    public uint Group { get; }

    /// <summary>Of the group.</summary>
    public string Name { get; }

    /// <summary>The client's number of the membership; 0 for a watch.</summary>
    public uint Handle { get; }

    /// <summary>Messages of the reader's own session are left out.</summary>
    public bool WithoutOwn { get; }

    /// <summary>The membership at the node; set once it is granted.</summary>
    public uint Slot { get; set; }

    /// <summary>Position of the first event it gets: that of its own join. Written by the ring thread.</summary>
    public long First
    {
        get => Volatile.Read(ref _first);
        set => Volatile.Write(ref _first, value);
    }

    /// <summary>Position of the last event it gets: that of its own leave. Written by the ring thread.</summary>
    public long Last
    {
        get => Volatile.Read(ref _last);
        set => Volatile.Write(ref _last, value);
    }

    /// <summary>Its join has been ordered.</summary>
    public bool HasBegun => First != long.MaxValue;

    /// <summary>Its leave has been ordered.</summary>
    public bool IsOver => Last != long.MaxValue;

    /// <summary>The client has asked to leave. The task of its requests only.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>The client has been told the group's name. The task that writes its events only.</summary>
    public bool IsNamed { get; set; }
}
