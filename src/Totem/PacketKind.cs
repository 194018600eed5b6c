namespace Membership.Totem;

/// <summary>First byte of each packet of the ring (docs/protocol/wire.md).</summary>
internal enum PacketKind : byte
{
    /// <summary>The ring's circulating token.</summary>
    Token = 1,

    /// <summary>A numbered frame of messages.</summary>
    Data = 2,

    /// <summary>What its sender proposes as the next membership, and who hears whom.</summary>
    Join = 3,

    /// <summary>Collects, then spreads, what each member has of its old ring.</summary>
    CommitToken = 4,

    /// <summary>Its sender stops.</summary>
    Leave = 5,

    /// <summary>The ring its sender is in; goes to nodes outside it.</summary>
    Announce = 6,

    /// <summary>Its sender has a message and asks the holder to let the token go.</summary>
    HoldCancel = 7,
}
