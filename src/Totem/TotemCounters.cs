namespace Membership.Totem;

/// <summary>Counters of one node's ring since its start.</summary>
public sealed class TotemCounters
{
    /// <summary>Tokens accepted.</summary>
    public long TokensReceived { get; internal set; }

    /// <summary>Tokens of an old ring, or seen before, dropped.</summary>
    public long TokensDropped { get; internal set; }

    /// <summary>Tokens sent again because no progress was seen.</summary>
    public long TokensResent { get; internal set; }

    /// <summary>Frames multicast first.</summary>
    public long FramesSent { get; internal set; }

    /// <summary>Frames multicast again on request.</summary>
    public long FramesResent { get; internal set; }

    /// <summary>Frames taken in.</summary>
    public long FramesReceived { get; internal set; }

    /// <summary>Frames seen before.</summary>
    public long FramesDuplicate { get; internal set; }

    /// <summary>Frames of another ring, dropped.</summary>
    public long FramesForeign { get; internal set; }

    /// <summary>Messages submitted here and delivered here.</summary>
    public long MessagesSent { get; internal set; }

    /// <summary>Messages delivered.</summary>
    public long MessagesDelivered { get; internal set; }

    /// <summary>Payload bytes delivered.</summary>
    public long BytesDelivered { get; internal set; }

    /// <summary>Regular views installed.</summary>
    public long Views { get; internal set; }

    /// <summary>Times Gather was entered.</summary>
    public long Gathers { get; internal set; }

    /// <summary>Times the token was lost.</summary>
    public long TokenLosses { get; internal set; }

    /// <summary>Authentic packets that made no sense.</summary>
    public long Malformed { get; internal set; }

    /// <summary>Rotations measured: those of a token that was busy all the way.</summary>
    public long Rotations { get; internal set; }

    /// <summary>Duration of the last full rotation, in nanoseconds.</summary>
    public long RotationNanoseconds { get; internal set; }
}
