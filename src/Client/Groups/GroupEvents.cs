using Membership.V1;

namespace Membership.Client;

/// <summary>Events of the daemon as updates of the program.</summary>
internal static class GroupEvents
{
    /// <param name="groupEvent">A change of members.</param>
    /// <param name="self">This process as a member; nobody for a watch.</param>
    public static GroupUpdate.MembersChanged Changed(GroupEvent groupEvent, Member self)
    {
        var membership = groupEvent.Membership;
        return new GroupUpdate.MembersChanged(
            Member.From(membership.Members),
            Member.From(membership.Joined),
            Member.From(membership.Left),
            membership.Reason,
            self,
            membership.View?.Id ?? "",
            membership.View?.Number ?? 0,
            membership.Change)
        { StreamPosition = groupEvent.Position };
    }

    /// <param name="groupEvent">A message.</param>
    /// <param name="ringId">The ring that ordered it.</param>
    /// <param name="sha256">In place of its payload; empty: the payload is there.</param>
    public static GroupUpdate.Message Delivered(GroupEvent groupEvent, string ringId, ReadOnlyMemory<byte> sha256 = default)
    {
        var message = groupEvent.Message;
        return new GroupUpdate.Message(
            Member.From(message.Sender), message.Payload.Memory, new OrderPosition(ringId, message.Seq, message.Index),
            message.Level, message.Counter, message.ViewNumber, groupEvent.TNs)
        {
            StreamPosition = groupEvent.Position,
            Size = sha256.IsEmpty ? (uint)message.Payload.Length : message.Size,
            Sha256 = sha256,
        };
    }
}
