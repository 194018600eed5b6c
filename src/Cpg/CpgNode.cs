using Membership.Totem;

namespace Membership.Cpg;

/// <summary>All groups as this node knows them: every node keeps the whole list. Single-threaded; no I/O.</summary>
public sealed class CpgNode(CpgOptions options)
{
    private readonly CpgOptions _options = options;

    /// <summary>Names with members, ascending by bytes.</summary>
    public IEnumerable<string> Groups => throw new NotSupportedException();

    /// <summary>Members of a group, ascending; empty when there is none.</summary>
    public IReadOnlyList<GroupMember> MembersOf(string group) => throw new NotSupportedException();

    /// <summary>A session of this node asks to join; it is a member from the <see cref="ICpgEffects.Changed"/> on that has it in joined.</summary>
    public JoinResult Join(uint session, uint pid, string group, ICpgEffects effects) => throw new NotSupportedException();

    /// <summary>Asks to leave; the last event of the membership is the one that has it in left.</summary>
    public GroupStatus Leave(uint slot, ICpgEffects effects) => throw new NotSupportedException();

    /// <summary>The session is gone: it leaves all its groups with reason process-down.</summary>
    public void EndSession(uint session, ICpgEffects effects) => throw new NotSupportedException();

    /// <summary>Sends to the group of a membership, joined or joining. Allocates nothing.</summary>
    public SendResult Send(uint slot, ReadOnlySpan<byte> payload, DeliveryLevel level, ICpgEffects effects) => throw new NotSupportedException();

    /// <summary>A view, regular or transitional, in its place of the order.</summary>
    public void OnView(View view, ICpgEffects effects)
    {
    }

    /// <summary>A message of the groups' service in its place of the order. Malformed ones are counted and dropped, at every member alike.</summary>
    public void OnMessage(in Delivery delivery, ReadOnlySpan<byte> payload, ICpgEffects effects) => throw new NotSupportedException();
}
