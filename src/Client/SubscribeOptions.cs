namespace Membership.Client;

/// <summary>What of the ring's one order a subscription gives.</summary>
/// <example>
/// <code>
/// await foreach (var batch in client.SubscribeAsync(new SubscribeOptions { HeadersOnly = true }, cancellationToken))
/// {
///     foreach (var item in batch) Console.WriteLine(item.Position);
/// }
/// </code>
/// </example>
public sealed record SubscribeOptions
{
    /// <summary>Continue after this position of the daemon's stream; 0: begin with the current view.</summary>
    public ulong AfterPosition { get; init; }

    /// <summary>The boot of the daemon that counted <see cref="AfterPosition"/>, 16 hex digits; empty: do not compare.</summary>
    public string Boot { get; init; } = "";

    /// <summary>Views without messages.</summary>
    public bool ViewsOnly { get; init; }

    /// <summary>Messages without their payload, with size and the first 8 bytes of its SHA-256.</summary>
    public bool HeadersOnly { get; init; }
}
