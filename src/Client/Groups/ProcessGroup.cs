using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf;
using Membership.V1;

namespace Membership.Client;

/// <summary>This process's membership in a group: it sends to all members and reads, in one order with them, what happens in it.</summary>
/// <remarks>
/// Any number of threads may send; one at a time may read. Read, or join with <see cref="GroupOptions.WithoutUpdates"/>: updates are
/// fetched only as they are read, all groups of a client share one window (<see cref="MembershipClientOptions.GroupWindowBytes"/>), and a
/// client that reads nothing for long is cut off by its daemon. When the daemon is lost the group is joined again, and an
/// <see cref="GroupUpdate.Interrupted"/> stands where something may be missing.
/// </remarks>
/// <example>
/// <code>
/// await using var group = await client.JoinAsync("orders", cancellationToken: cancellationToken);
/// await group.SendAsync("hello"u8.ToArray(), cancellationToken: cancellationToken);
/// await foreach (var update in group.ReadAllAsync(cancellationToken))
/// {
///     if (update is GroupUpdate.Message message) Console.WriteLine($"{message.Sender}: {message.Text}");
/// }
/// </code>
/// </example>
public sealed class ProcessGroup : IAsyncDisposable
{
    private readonly GroupSession _session;
    private readonly MembershipClientOptions _options;
    private readonly GroupOptions _group;
    private readonly Channel<Arrival> _updates = Channel.CreateUnbounded<Arrival>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Standing _standing = new(default, []);
    private volatile TaskCompletionSource? _idle;
    private int _sending;
    private int _isReading;
    private int _disposed;

    internal ProcessGroup(GroupSession session, uint handle, string name, GroupOptions group, MembershipClientOptions options)
    {
        _session = session;
        _options = options;
        _group = group;
        Handle = handle;
        Name = name;
    }

    /// <summary>The group's name.</summary>
    public string Name { get; }

    /// <summary>This process as a member, as of the last update read; before the first one, as it joined.</summary>
    public Member Self => _standing.Self;

    /// <summary>All members, as of the last update read; before the first one, as when this process joined.</summary>
    public IReadOnlyList<Member> Members => _standing.Members;

    internal uint Handle { get; }

    internal GroupStage Stage { get; set; } = GroupStage.Joining;

    /// <summary>Why the membership ended for good; null while it has not, or when it was left.</summary>
    internal MembershipException? Failure { get; private set; }

    internal Task Joined => _joined.Task;

    internal Task Left => _left.Task;

    /// <summary>Sends a message to all members and waits until it has its place in their order.</summary>
    /// <remarks>
    /// Many calls may be under way: messages are sent in the order of the calls and travel together. The bytes are copied before this
    /// returns. Throws <see cref="GroupSendException"/>, which says whether the message may have been delivered. While the daemon is lost it
    /// waits for its return, at most <see cref="MembershipClientOptions.SendTimeout"/>. Cancel stops the waiting: a message that was
    /// written may be delivered, one that was not is taken back.
    /// </remarks>
    /// <param name="payload">0 bytes to 16 MiB.</param>
    /// <param name="level">Agreed: delivered in order. Safe: delivered once every member of the view has it.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public async Task<GroupReceipt> SendAsync(
        ReadOnlyMemory<byte> payload, DeliveryLevel level = DeliveryLevel.Agreed, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var send = Begin(payload, level);
        await WaitAsync(send, send.Receipt, cancellationToken).ConfigureAwait(false);
        return await send.Receipt.ConfigureAwait(false);
    }

    /// <summary>Sends a message and waits only until there is room for it; what is returned then is its receipt to come.</summary>
    /// <remarks>For streams of messages: at most <see cref="MembershipClientOptions.GroupOutstandingMax"/> are on their way. Failures as of <see cref="SendAsync"/>.</remarks>
    /// <param name="payload">0 bytes to 16 MiB.</param>
    /// <param name="level">Agreed: delivered in order. Safe: delivered once every member of the view has it.</param>
    /// <param name="cancellationToken">Stops the waiting for room.</param>
    public async ValueTask<Task<GroupReceipt>> PostAsync(
        ReadOnlyMemory<byte> payload, DeliveryLevel level = DeliveryLevel.Agreed, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var send = Begin(payload, level);
        if (!send.Accepted.IsCompletedSuccessfully) await WaitAsync(send, send.Accepted, cancellationToken).ConfigureAwait(false);
        return send.Receipt;
    }

    /// <summary>What happens in the group, in the one order of all members, from this process's join on.</summary>
    /// <remarks>
    /// Ends when the group is left. Throws the <see cref="MembershipException"/> that ended the membership for good. Reading may be stopped and
    /// taken up again; what came meanwhile is then read first.
    /// </remarks>
    public async IAsyncEnumerable<GroupUpdate> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _isReading, 1) != 0) throw new InvalidOperationException($"The group {Name} is being read already; one reader at a time.");
        try
        {
            while (await _updates.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
            {
                while (_updates.Reader.TryRead(out var arrival))
                {
                    if (arrival.Update is GroupUpdate.MembersChanged changed) _standing = new Standing(changed.Self, changed.Members);
                    try
                    {
                        yield return arrival.Update;
                    }
                    finally
                    {
                        _session.OnRead(arrival.Cost, arrival.Connection);
                    }
                }
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            Volatile.Write(ref _isReading, 0);
        }
    }

    /// <summary>Leaves the group: waits for the receipts of what was sent, then for the others' agreement, each at most <see cref="MembershipClientOptions.CallTimeout"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        var idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _idle = idle;
        if (Volatile.Read(ref _sending) == 0) idle.TrySetResult();
        await WaitQuietlyAsync(idle.Task).ConfigureAwait(false);
        if (_session.BeginLeave(this)) await WaitQuietlyAsync(Left).ConfigureAwait(false);
        _session.Forget(this);
        End(null);
        while (_updates.Reader.TryRead(out var unread)) _session.OnRead(unread.Cost, unread.Connection);
    }

    internal JoinGroup JoinRequest() => new() { Handle = Handle, Group = Name, WithoutOwn = _group.WithoutOwnMessages || _group.WithoutUpdates };

    /// <summary>What came, in the order of the stream. This and what follows is called under the session's lock, which guards <see cref="Stage"/>.</summary>
    internal void OnUpdate(GroupUpdate update, long cost, int connection)
    {
        if (update is GroupUpdate.MembersChanged changed)
        {
            if (Stage is GroupStage.Leaving && changed.Left.Contains(changed.Self)) _left.TrySetResult();
            else if (Stage is GroupStage.Joining or GroupStage.Interrupted && changed.IsOwnJoin) OnJoined(changed);
            if (_group.WithoutUpdates) _standing = new Standing(changed.Self, changed.Members);
        }
        Give(update, cost, connection);
    }

    /// <summary>The connection is lost; it will be tried again.</summary>
    internal void OnInterrupted(GroupUpdate.Interrupted interrupted)
    {
        if (Stage is GroupStage.Leaving)
        {
            _left.TrySetResult();   // the daemon did it for us
            return;
        }
        if (Stage is not GroupStage.Joined) return;
        Stage = GroupStage.Interrupted;
        Give(interrupted, 0, 0);
    }

    /// <summary>The membership has ended: left (null) or for good.</summary>
    internal void End(MembershipException? failure)
    {
        Failure ??= failure;
        Stage = GroupStage.Ended;
        if (failure is not null && _joined.TrySetException(failure)) _ = _joined.Task.Exception;
        _left.TrySetResult();
        _updates.Writer.TryComplete(failure);
    }

    private void OnJoined(GroupUpdate.MembersChanged changed)
    {
        if (Stage is GroupStage.Joining) _standing = new Standing(changed.Self, changed.Members);
        Stage = GroupStage.Joined;
        _joined.TrySetResult();
    }

    private void Give(GroupUpdate update, long cost, int connection)
    {
        bool isKept = !_group.WithoutUpdates && Stage is not GroupStage.Leaving && _updates.Writer.TryWrite(new Arrival(update, cost, connection));
        if (!isKept) _session.OnRead(cost, connection);
    }

    private PendingSend Begin(ReadOnlyMemory<byte> payload, DeliveryLevel level)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var send = new PendingSend(Handle, ByteString.CopyFrom(payload.Span), level);
        Interlocked.Increment(ref _sending);
        _ = send.Receipt.ContinueWith(
            static (_, group) => ((ProcessGroup)group!).OnSendEnded(), this, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        try
        {
            _session.Send(this, send);
        }
        catch (Exception refused)
        {
            send.Fail(refused as GroupSendException ?? new GroupSendException(MembershipReason.NotPossibleNow, false, refused.Message));
            throw;
        }
        return send;
    }

    private void OnSendEnded()
    {
        if (Interlocked.Decrement(ref _sending) == 0) _idle?.TrySetResult();
    }

    private async Task WaitAsync(PendingSend send, Task what, CancellationToken cancellationToken)
    {
        try
        {
            await what.WaitAsync(_options.SendTimeout, _options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException slow)
        {
            bool unsent = _session.Withdraw(send);
            string outcome = unsent ? "The message was not sent." : "It is not known whether the message was or will be delivered.";
            throw new GroupSendException(
                MembershipReason.TimedOut, !unsent, $"Sending to {Name}: no receipt within {_options.SendTimeout.TotalMilliseconds} ms. {outcome}", slow);
        }
        catch (OperationCanceledException)
        {
            _session.Withdraw(send);
            throw;
        }
    }

    private async Task WaitQuietlyAsync(Task what)
    {
        try
        {
            await what.WaitAsync(_options.CallTimeout, _options.TimeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // A silent daemon must not keep this process from ending; it removes the membership when the session is gone.
        }
    }

    private sealed record Standing(Member Self, IReadOnlyList<Member> Members);

    private readonly record struct Arrival(GroupUpdate Update, long Cost, int Connection);
}

/// <summary>How far the membership in a group has come.</summary>
internal enum GroupStage
{
    Joining,
    Joined,

    /// <summary>The daemon was lost; joined again as soon as it is back.</summary>
    Interrupted,
    Leaving,
    Ended,
}
