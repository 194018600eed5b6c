using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc;
using Membership.V1;

namespace Membership.Client;

/// <summary>A pipeline for many messages on the raw ring: a bounded number is on its way, receipts come back in the order of sending.</summary>
/// <remarks>
/// One task may send while another reads the receipts. Read them: sending waits once <see cref="MulticastOptions.MaxOutstanding"/>
/// messages lack a read receipt. Disposing sends what was accepted and waits for its receipts, but reports no failure:
/// who needs to know calls <see cref="CompleteAsync"/> before.
/// </remarks>
/// <example>
/// <code>
/// await using var stream = await client.OpenMulticastAsync(cancellationToken: cancellationToken);
/// var receipts = Task.Run(async () =>
/// {
///     await foreach (var receipt in stream.ReadReceiptsAsync(cancellationToken)) Console.WriteLine(receipt.Seq);
/// });
/// for (int number = 0; number &lt; 1000; number++) await stream.SendAsync(new byte[64], cancellationToken);
/// await stream.CompleteAsync(cancellationToken);
/// await receipts;
/// </code>
/// </example>
public sealed class MulticastStream : IAsyncDisposable
{
    /// <summary>Requests built ahead of the connection.</summary>
    private const int RequestsAhead = 4;

    private readonly AsyncDuplexStreamingCall<MulticastRequest, MulticastResponse> _call;
    private readonly MulticastOptions _options;
    private readonly TimeProvider _time;
    private readonly OutstandingGate _room;
    private readonly ConcurrentQueue<int> _sizes = new();
    private readonly Channel<ByteString> _accepted = Channel.CreateUnbounded<ByteString>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<(MulticastReceipt Receipt, int Bytes)> _receipts = Channel.CreateUnbounded<(MulticastReceipt, int)>(new UnboundedChannelOptions { SingleWriter = true });
    private readonly Task _sending;
    private readonly Task _receiving;
    private readonly Lock _acceptance = new();
    private bool _isComplete;
    private long _acceptedCount;
    private long _confirmedCount;
    private MembershipException? _failure;
    private int _disposed;

    internal MulticastStream(
        AsyncDuplexStreamingCall<MulticastRequest, MulticastResponse> call, MulticastOptions options, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxOutstanding, 1, nameof(options));
        _call = call;
        _options = options;
        _time = time;
        // The queues above hold at most as many entries as there is room here.
        _room = new OutstandingGate(options.MaxOutstanding, options.MaxOutstandingBytes);
        _sending = SendAcceptedAsync();
        _receiving = ReceiveAsync();
    }

    /// <summary>Messages accepted by <see cref="SendAsync"/> so far.</summary>
    public long AcceptedCount => Interlocked.Read(ref _acceptedCount);

    /// <summary>Receipts that have come back so far, those of refused messages included.</summary>
    public long ConfirmedCount => Interlocked.Read(ref _confirmedCount);

    /// <summary>Accepts a message; waits while too many are on their way. The bytes are copied before this returns.</summary>
    /// <remarks>When the stream has failed it throws what <see cref="CompleteAsync"/> throws. Cancelled: the message was not accepted.</remarks>
    public ValueTask SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        var message = ByteString.CopyFrom(payload.Span);
        bool isIn = !cancellationToken.IsCancellationRequested && _room.TryEnter(message.Length);
        if (!isIn) return SendWhenRoomAsync(message, cancellationToken);
        Accept(message);
        return ValueTask.CompletedTask;
    }

    /// <summary>One receipt for each message, in the order of sending; ends after <see cref="CompleteAsync"/> with the last one.</summary>
    /// <remarks>Throws <see cref="MulticastInterruptedException"/> after the last receipt that came when the connection is lost.</remarks>
    public async IAsyncEnumerable<MulticastReceipt> ReadReceiptsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (await _receipts.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (_receipts.Reader.TryRead(out var next))
            {
                _room.Exit(next.Bytes);
                yield return next.Receipt;
            }
        }
    }

    /// <summary>Accepts no further message and waits until everything accepted has its receipt.</summary>
    /// <remarks>Throws <see cref="MulticastInterruptedException"/> when the connection is lost before. Cancel stops the waiting only.</remarks>
    public async Task CompleteAsync(CancellationToken cancellationToken = default)
    {
        AcceptNoMore();
        await Task.WhenAll(_sending, _receiving).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (Volatile.Read(ref _failure) is { } failure) throw failure;
    }

    /// <summary>Sends what was accepted and waits for its receipts, at most <see cref="MulticastOptions.FlushTimeout"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        AcceptNoMore();
        var finished = Task.WhenAll(_sending, _receiving);
        try
        {
            await finished.WaitAsync(_options.FlushTimeout, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The daemon is silent; disposing the call below ends both loops, and their failure stays readable.
        }
        _call.Dispose();
        await finished.ConfigureAwait(false);
    }

    private async ValueTask SendWhenRoomAsync(ByteString message, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!await _room.EnterAsync(message.Length, cancellationToken).ConfigureAwait(false)) throw Closed();
        Accept(message);
    }

    private void Accept(ByteString message)
    {
        // Whoever is in is counted before the stream can end, so that a failure reports it as not known.
        lock (_acceptance)
        {
            if (!_isComplete)
            {
                _acceptedCount++;
                _sizes.Enqueue(message.Length);
                _accepted.Writer.TryWrite(message);   // unbounded and open: it succeeds
                return;
            }
        }
        _room.Exit(message.Length);
        throw Closed();
    }

    private void AcceptNoMore()
    {
        lock (_acceptance)
        {
            _isComplete = true;
            _accepted.Writer.TryComplete();
        }
    }

    private Exception Closed() =>
        Volatile.Read(ref _failure) ?? (Exception)new InvalidOperationException("The multicast was completed; no further message can be sent.");

    /// <summary>Puts what is ready into requests. A failure is told by the receiving side, which knows the status of the call.</summary>
    private async Task SendAcceptedAsync()
    {
        var requests = Channel.CreateBounded<MulticastRequest>(new BoundedChannelOptions(RequestsAhead) { SingleReader = true, SingleWriter = true });
        var writing = WriteAsync(requests);
        try
        {
            while (await _accepted.Reader.WaitToReadAsync().ConfigureAwait(false))
            {
                if (!await requests.Writer.WaitToWriteAsync().ConfigureAwait(false)) break;
                if (NextRequest() is { } request) await requests.Writer.WriteAsync(request).ConfigureAwait(false);
            }
        }
        catch (ChannelClosedException)
        {
            // The writer below failed; so does the receiver.
        }
        requests.Writer.TryComplete();
        await writing.ConfigureAwait(false);
    }

    private async Task WriteAsync(Channel<MulticastRequest> requests)
    {
        try
        {
            await _call.RequestStream.WriteAllAsync(requests.Reader, CancellationToken.None).ConfigureAwait(false);
            await _call.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (RpcException)
        {
            // The receiver gets the status of the call and tells everybody.
            requests.Writer.TryComplete();
        }
    }

    private MulticastRequest? NextRequest()
    {
        if (!_accepted.Reader.TryRead(out var first)) return null;
        var request = new MulticastRequest { Level = _options.Level };
        request.Payloads.Add(first);
        int bytes = first.Length;
        while (_accepted.Reader.TryPeek(out var next) && bytes + next.Length <= _options.BatchBytes)
        {
            if (!_accepted.Reader.TryRead(out next)) break;
            request.Payloads.Add(next);
            bytes += next.Length;
        }
        return request;
    }

    private async Task ReceiveAsync()
    {
        try
        {
            while (await _call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false)) Give(_call.ResponseStream.Current);
            if (AcceptedCount == ConfirmedCount && _accepted.Reader.Completion.IsCompleted) End(null);
            else End(new MembershipException(MembershipReason.Unavailable, "Multicast: the daemon ended the stream."));
        }
        catch (RpcException broken)
        {
            End(MembershipException.From(broken, "Multicast"));
        }
    }

    private void Give(MulticastResponse response)
    {
        foreach (var receipt in response.Receipts)
        {
            long number = Interlocked.Increment(ref _confirmedCount);
            string? failure = receipt.Failure.Length > 0 ? receipt.Failure : null;
            var given = new MulticastReceipt(number, receipt.Counter, receipt.RingId, receipt.Seq, receipt.Index, receipt.TNs, failure) { IsIndeterminate = receipt.InDoubt };
            if (!_sizes.TryDequeue(out int bytes)) continue;   // a receipt nobody asked for; counted above, so the end shows it
            if (_options.DiscardReceipts) _room.Exit(bytes);
            else _receipts.Writer.TryWrite((given, bytes));
        }
    }

    private void End(MembershipException? cause)
    {
        if (cause is not null)
        {
            lock (_acceptance)
            {
                Volatile.Write(ref _failure, new MulticastInterruptedException(_confirmedCount, _acceptedCount - _confirmedCount, cause));
                _isComplete = true;
                _accepted.Writer.TryComplete();
            }
        }
        _receipts.Writer.TryComplete(_failure);
        _room.Close();
    }
}
