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

/// <summary>What of a group a watch gives, and from where on.</summary>
/// <example>
/// <code>
/// await foreach (var update in client.WatchGroupAsync("orders", new GroupWatchOptions { HeadersOnly = true }, cancellationToken))
/// {
///     Console.WriteLine(update.StreamPosition);
/// }
/// </code>
/// </example>
public sealed record GroupWatchOptions
{
    /// <summary>Continue after this position of the daemon's stream of group events (<see cref="GroupUpdate.StreamPosition"/>); 0: begin with the members now.</summary>
    public ulong AfterPosition { get; init; }

    /// <summary>The boot of the daemon that counted <see cref="AfterPosition"/>, 16 hex digits; empty: do not compare.</summary>
    public string Boot { get; init; } = "";

    /// <summary>Messages without their payload, with size and the first 8 bytes of its SHA-256.</summary>
    public bool HeadersOnly { get; init; }
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
