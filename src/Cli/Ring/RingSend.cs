using System.Security.Cryptography;
using System.Threading.Channels;
using Google.Protobuf;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Ring;

/// <summary>What to send: a payload given once, or <paramref name="Count"/> payloads of <paramref name="Size"/> bytes made from a seed.</summary>
/// <param name="Fixed">The payload from standard input, or null.</param>
/// <param name="Count">How many messages.</param>
/// <param name="Size">Bytes of each made payload.</param>
/// <param name="Seed">Seed of the made payloads.</param>
/// <param name="Rate">Messages a second; 0 as fast as the daemon takes them.</param>
/// <param name="Level">Agreed or safe.</param>
internal sealed record SendPlan(byte[]? Fixed, long Count, int Size, ulong Seed, double Rate, DeliveryLevel Level)
{
    /// <summary>Payload of message <paramref name="number"/>, counted from 0.</summary>
    public byte[] PayloadOf(long number)
    {
        if (Fixed is not null)
            return Fixed;
        var payload = new byte[Size];
        Payload.Fill(payload, Seed, (ulong)number);
        return payload;
    }
}

/// <summary>Sends messages on the raw ring or to a group and writes a line for each receipt, in the order of sending.</summary>
internal sealed class RingSend(CommandContext context, string socket, SendPlan plan)
{
    /// <summary>Messages sent and not yet answered; at the limit sending waits for receipts.</summary>
    public const int OutstandingMax = 8192;

    /// <summary>Messages of one request.</summary>
    public const int BatchMessagesMax = 256;

    /// <summary>Payload bytes of one request, unless a single message is larger.</summary>
    public const int BatchBytesMax = 256 * 1024;

    private const int ShaBytes = 8;

    private readonly LineBuffer _lines = new(context.Host.Output);
    private readonly Channel<Sent> _outstanding = Channel.CreateBounded<Sent>(new BoundedChannelOptions(OutstandingMax)
    {
        SingleReader = true,
        SingleWriter = true,
        FullMode = BoundedChannelFullMode.Wait,
    });

    private long _failed;
    private string _firstFailure = "";

    private readonly record struct Sent(int Size, ulong Sha);

    /// <summary>Sends everything and returns when every message has its receipt.</summary>
    public async Task<int> RunAsync(Func<CancellationToken, Task<IMulticast>> open, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var stream = await open(stop.Token);
        var sending = SendAllAsync(stream, stop.Token);
        try
        {
            await ReceiveAllAsync(stream, stop.Token);
            await sending;
        }
        finally
        {
            await _lines.FlushAsync(CancellationToken.None);
            await stop.CancelAsync();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (_failed > 0)
            throw new CliException(ErrorCatalogue.SendFailed, ("failed", _failed), ("total", plan.Count), ("detail", _firstFailure));
        return ExitCode.Ok;
    }

    private async Task SendAllAsync(IMulticast stream, CancellationToken cancellationToken)
    {
        try
        {
            var started = context.Host.Time.GetTimestamp();
            for (long sent = 0; sent < plan.Count;)
            {
                var due = await DueAsync(sent, started, cancellationToken);
                var request = Batch(sent, due);
                foreach (var payload in request.Payloads)
                    await _outstanding.Writer.WriteAsync(new Sent(payload.Length, ShaOf(payload.Span)), cancellationToken);
                await stream.SendAsync(request, cancellationToken);
                sent += request.Payloads.Count;
            }
            await stream.CompleteAsync();
            _outstanding.Writer.Complete();
        }
        catch (Exception error)
        {
            _outstanding.Writer.TryComplete(error); // the receiving side ends with it
            throw;
        }
    }

    // How many messages may go out now: all without a rate, else those whose time has come.
    private async ValueTask<long> DueAsync(long sent, long started, CancellationToken cancellationToken)
    {
        if (plan.Rate <= 0)
            return plan.Count - sent;
        while (true)
        {
            var elapsed = context.Host.Time.GetElapsedTime(started).TotalSeconds;
            var due = Math.Min((long)(elapsed * plan.Rate) + 1, plan.Count) - sent;
            if (due > 0)
                return due;
            await Task.Delay(TimeSpan.FromSeconds(Math.Max(0.001, (sent / plan.Rate) - elapsed)), context.Host.Time, cancellationToken);
        }
    }

    private MulticastRequest Batch(long first, long due)
    {
        var request = new MulticastRequest { Level = plan.Level };
        var bytes = 0;
        for (var number = first; number < first + Math.Min(due, BatchMessagesMax); number++)
        {
            var payload = plan.PayloadOf(number);
            if (bytes > 0 && bytes + payload.Length > BatchBytesMax)
                break;
            bytes += payload.Length;
            request.Payloads.Add(UnsafeByteOperations.UnsafeWrap(payload)); // made for this message alone, never changed
        }
        return request;
    }

    private async Task ReceiveAllAsync(IMulticast stream, CancellationToken cancellationToken)
    {
        await using var receipts = new ReceiptReader(context, stream, socket, _lines, cancellationToken);
        var writer = new RingEventLines(_lines, context.Json);
        var sha = new byte[ShaBytes];
        while (await _outstanding.Reader.WaitToReadAsync(cancellationToken))
        {
            while (_outstanding.Reader.TryPeek(out var sent))
            {
                var receipt = await receipts.NextAsync();
                _outstanding.Reader.TryRead(out _); // only now there is room for another
                System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(sha, sent.Sha);
                writer.Receipt(receipt, sent.Size, sha);
                if (receipt.Failure.Length > 0 && _failed++ == 0)
                    _firstFailure = receipt.Failure;
                if (_lines.IsFull)
                    await _lines.FlushAsync(cancellationToken);
            }
        }
    }

    private static ulong ShaOf(ReadOnlySpan<byte> payload)
    {
        Span<byte> sha = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(payload, sha);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(sha);
    }
}

/// <summary>Receipts one at a time; each must come within the time limit.</summary>
internal sealed class ReceiptReader : IAsyncDisposable
{
    private readonly CommandContext _context;
    private readonly string _socket;
    private readonly LineBuffer _lines;
    private readonly CancellationTokenSource _stop;
    private readonly IAsyncEnumerator<MulticastResponse> _responses;
    private MulticastResponse _current = new();
    private int _next;
    private Task<bool>? _move;

    /// <summary>Starts reading; <paramref name="lines"/> is flushed whenever the reader has to wait.</summary>
    public ReceiptReader(CommandContext context, IMulticast stream, string socket, LineBuffer lines, CancellationToken cancellationToken)
    {
        _context = context;
        _socket = socket;
        _lines = lines;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _responses = stream.ReceiptsAsync(_stop.Token).GetAsyncEnumerator(_stop.Token);
    }

    /// <summary>The next receipt.</summary>
    public async ValueTask<Receipt> NextAsync()
    {
        while (_next == _current.Receipts.Count)
        {
            _move = _responses.MoveNextAsync().AsTask();
            if (!_move.IsCompleted)
                await _lines.FlushAsync(_stop.Token);
            if (!await _context.WithinTimeoutAsync("waiting for a receipt", _ => _move, _stop.Token))
                throw new CliException(ErrorCatalogue.StreamEnded, ("socket", _socket));
            _current = _responses.Current;
            _next = 0;
        }
        return _current.Receipts[_next++];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_move is not null) // an enumerator may only be disposed of between two moves; why this one ended is known already
            await ((Task)_move).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _responses.DisposeAsync();
        _stop.Dispose();
    }
}
