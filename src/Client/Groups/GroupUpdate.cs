using System.Text;
using Membership.V1;

namespace Membership.Client;

/// <summary>What happened in a group, in the one order that all its members see.</summary>
/// <example>
/// <code>
/// await foreach (var update in group.ReadAllAsync(cancellationToken))
/// {
///     switch (update)
///     {
///         case GroupUpdate.Message message: Apply(message.Payload); break;
///         case GroupUpdate.MembersChanged changed: Console.WriteLine($"{changed.Members.Count} members"); break;
///         case GroupUpdate.Interrupted: Forget(); break;   // what follows begins anew, with all members in joined
///     }
/// }
/// </code>
/// </example>
public abstract record GroupUpdate
{
    private GroupUpdate()
    {
    }

    /// <summary>
    /// Its place in the one stream of group events of the own daemon: it rises from update to update, over all groups, and begins anew when the daemon
    /// restarts. What follows it can be read with <see cref="MembershipClient.WatchGroupAsync"/>. Of <see cref="Interrupted"/>: that of the last update before it.
    /// </summary>
    public ulong StreamPosition { get; init; }

    /// <summary>A message of a member.</summary>
    /// <param name="Sender">A member of the group at this place of the order.</param>
    /// <param name="Payload">The bytes as they were sent. They may be kept; nobody changes them.</param>
    /// <param name="Position">Its place in the one order.</param>
    /// <param name="Level">How it was delivered.</param>
    /// <param name="Counter">The sending daemon's count of its messages.</param>
    /// <param name="ViewNumber">The view it was delivered in.</param>
    /// <param name="DeliveredAtNs">The own daemon's monotonic clock at delivery, nanoseconds.</param>
    /// <example>
    /// <code>
    /// if (update is GroupUpdate.Message message) Console.WriteLine($"{message.Sender}: {message.Text}");
    /// </code>
    /// </example>
    public sealed record Message(
        Member Sender, ReadOnlyMemory<byte> Payload, OrderPosition Position, DeliveryLevel Level, ulong Counter, ulong ViewNumber, long DeliveredAtNs)
        : GroupUpdate
    {
        /// <summary>The payload read as UTF-8; what is no UTF-8 becomes U+FFFD.</summary>
        public string Text => Encoding.UTF8.GetString(Payload.Span);

        /// <summary>Bytes of the payload, also where it was left out (<see cref="GroupWatchOptions.HeadersOnly"/>).</summary>
        public uint Size { get; init; }

        /// <summary>First 8 bytes of the payload's SHA-256 where it was left out; empty otherwise.</summary>
        public ReadOnlyMemory<byte> Sha256 { get; init; }
    }

    /// <summary>Members came or went. The first update of a group, and the first after <see cref="Interrupted"/>, has this process in <paramref name="Joined"/>.</summary>
    /// <param name="Members">After the change, in the order of <see cref="Member"/>.</param>
    /// <param name="Joined">Who came, in the order of <see cref="Member"/>.</param>
    /// <param name="Left">Who went, in the order of <see cref="Member"/>.</param>
    /// <param name="Reason">One cause for all of them.</param>
    /// <param name="Self">This process as a member.</param>
    /// <param name="ViewId">The regular view in force.</param>
    /// <param name="ViewNumber">Its number.</param>
    /// <param name="Change">Counts the changes of this group at the own node; after an interruption it may begin anew.</param>
    /// <example>
    /// <code>
    /// if (update is GroupUpdate.MembersChanged { Reason: GroupReason.NodeDown } changed) TakeOver(changed.Left);
    /// </code>
    /// </example>
    public sealed record MembersChanged(
        IReadOnlyList<Member> Members,
        IReadOnlyList<Member> Joined,
        IReadOnlyList<Member> Left,
        GroupReason Reason,
        Member Self,
        string ViewId,
        ulong ViewNumber,
        ulong Change)
        : GroupUpdate
    {
        /// <summary>This process came with this change: there is no update before it, or one is missing.</summary>
        public bool IsOwnJoin => Joined.Contains(Self);
    }

    /// <summary>The membership was lost: changes and messages may be missing here, and the others saw this process leave.</summary>
    /// <remarks>
    /// The group is joined again as soon as the daemon can be reached; <see cref="MembersChanged"/> follows then, with a new
    /// <see cref="MembersChanged.Self"/>. State built from the updates before has to be built anew, fetched from another member, or completed: what was
    /// missed lies after <see cref="GroupUpdate.StreamPosition"/> and before that of the own join that follows, and can be read from a daemon that was not
    /// restarted and has recorded the group meanwhile (it does so for 30 s after it cut a client off, and while another client of it is in the group).
    /// </remarks>
    /// <param name="Cause">Why; <see cref="MembershipReason.CutOff"/>: this process did not read fast enough.</param>
    /// <example>
    /// <code>
    /// case GroupUpdate.Interrupted interrupted: lost = interrupted; break;
    /// case GroupUpdate.MembersChanged { IsOwnJoin: true } joined when lost is not null:
    ///     var missed = new GroupWatchOptions { AfterPosition = lost.StreamPosition, Boot = lost.Boot };
    ///     await foreach (var update in client.WatchGroupAsync(group.Name, missed, cancellationToken))
    ///     {
    ///         if (update.StreamPosition &gt;= joined.StreamPosition) break;
    ///         Apply(update);
    ///     }
    ///     break;   // SubscriptionCutException: not all of it is there any more
    /// </code>
    /// </example>
    public sealed record Interrupted(MembershipException Cause) : GroupUpdate
    {
        /// <summary>The boot of the daemon that counted <see cref="GroupUpdate.StreamPosition"/>, 16 hex digits.</summary>
        public string Boot { get; init; } = "";
    }
}

/// <summary>Where a message stands in the one order.</summary>
/// <remarks>Positions of one ring compare by <see cref="Seq"/>, then <see cref="Index"/>; those of different rings do not.</remarks>
/// <param name="RingId">The ring that ordered it.</param>
/// <param name="Seq">Number of the frame in that ring.</param>
/// <param name="Index">Place in the frame.</param>
/// <example>
/// <code>
/// Console.WriteLine(receipt.Position);   // 1.2a.9f3c51d0/7.0
/// </code>
/// </example>
public readonly record struct OrderPosition(string RingId, ulong Seq, uint Index)
{
    /// <summary><c>1.2a.9f3c51d0/7.0</c>: ring, frame and place in it.</summary>
    public override string ToString() => $"{RingId}/{Seq}.{Index}";
}
