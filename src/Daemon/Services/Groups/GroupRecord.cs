using System.Runtime.InteropServices;

namespace Membership.Daemon.Services.Groups;

/// <summary>What a record of the group log holds.</summary>
internal enum GroupRecordKind : byte
{
    /// <summary>A message; its payload follows the header.</summary>
    Message = 1,

    /// <summary>A membership event; the fields of a GroupMembership (group.proto) but handle and group follow the header.</summary>
    Membership = 2,

    /// <summary>Added to either: what would follow the header is kept beside the ring, and its slot (4 bytes) follows instead.</summary>
    Large = 0x80,
}

/// <summary>Header of one record in the group log, 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct GroupRecord
{
    /// <summary>Length, payload bytes and position.</summary>
    public RecordPrefix Prefix;

    /// <summary>CLOCK_MONOTONIC, nanoseconds.</summary>
    public long Time;

    /// <summary>Number of the frame.</summary>
    public ulong Seq;

    /// <summary>The sending daemon's count.</summary>
    public ulong Counter;

    /// <summary>The daemon's number of the group.</summary>
    public uint Group;

    /// <summary>Process of the sender.</summary>
    public uint Pid;

    /// <summary>Session of the sender.</summary>
    public uint Session;

    /// <summary>Place in the frame.</summary>
    public int Index;

    /// <summary>Ring and view, see <see cref="GroupLog.EraOf"/>.</summary>
    public int Era;

    /// <summary>Node of the sender.</summary>
    public ushort Sender;

    /// <summary>What it is.</summary>
    public GroupRecordKind Kind;

    /// <summary>Guarantee asked for.</summary>
    public byte Level;

    /// <summary>True when its payload is kept beside the ring.</summary>
    public readonly bool IsLarge => Kind.HasFlag(GroupRecordKind.Large);

    /// <summary>True for a message.</summary>
    public readonly bool IsMessage => Kind.HasFlag(GroupRecordKind.Message);
}
