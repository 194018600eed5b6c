namespace Membership.Client;

/// <summary>What a process wants of a group it joins.</summary>
/// <example>
/// <code>
/// await using var group = await client.JoinAsync("orders", new GroupOptions { WithoutOwnMessages = true }, cancellationToken);
/// </code>
/// </example>
public sealed record GroupOptions
{
    /// <summary>Own messages do not come back as updates; their receipts do. Default false.</summary>
    public bool WithoutOwnMessages { get; init; }

    /// <summary>For a process that only sends: updates are thrown away as they come, nothing has to be read. Default false.</summary>
    public bool WithoutUpdates { get; init; }
}

/// <summary>A message of this process has its place in the order: every member of the view delivers it there.</summary>
/// <param name="Position">Its place.</param>
/// <param name="Counter">The own daemon's count of its messages.</param>
/// <param name="DeliveredAtNs">The own daemon's monotonic clock at delivery, nanoseconds.</param>
/// <example>
/// <code>
/// var receipt = await group.SendAsync(payload, DeliveryLevel.Safe, cancellationToken);
/// Console.WriteLine(receipt.Position);
/// </code>
/// </example>
public readonly record struct GroupReceipt(OrderPosition Position, ulong Counter, long DeliveredAtNs);

/// <summary>A message was not delivered, or it is not known whether it was.</summary>
/// <example>
/// <code>
/// catch (GroupSendException failure) when (!failure.IsIndeterminate)
/// {
///     // Nobody got it and nobody will: sending it again does no harm.
/// }
/// </code>
/// </example>
public sealed class GroupSendException : MembershipException
{
    /// <summary>Makes one.</summary>
    public GroupSendException(MembershipReason reason, bool isIndeterminate, string message, Exception? innerException = null)
        : base(reason, message, innerException)
    {
        IsIndeterminate = isIndeterminate;
    }

    /// <summary>False: it was not and will not be delivered to anybody. True: it may have been, or may yet be.</summary>
    public bool IsIndeterminate { get; }
}
