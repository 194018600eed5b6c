using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Membership.Grpc.Messages;

namespace Membership.Grpc.Wire;

/// <summary>Takes messages out of a pipe. One reader at a time.</summary>
/// <remarks>What has arrived is held until all whole messages in it are taken, so that many small ones cost one read of the pipe.</remarks>
internal sealed class FrameReader<T>(PipeReader pipe, Marshaller<T> marshaller, int? maxMessageBytes, bool gzip) : DeserializationContext, IDisposable
    where T : class
{
    private static readonly MessageDescriptor? Descriptor = typeof(IMessage).IsAssignableFrom(typeof(T)) && !typeof(T).IsAbstract && typeof(T).GetConstructor([]) is not null
        ? ((IMessage)Activator.CreateInstance<T>()).Descriptor
        : null;

    private readonly PooledBuffer _inflated = new();
    private ReadOnlySequence<byte> _unread;
    private ReadOnlySequence<byte> _payload;
    private int _needed = Frame.HeaderBytes;
    private bool _holds;
    private bool _pipeEnded;

    public override int PayloadLength => (int)_payload.Length;

    public override byte[] PayloadAsNewBuffer() => _payload.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => _payload;

    /// <summary>The next message, or null at the end.</summary>
    public ValueTask<T?> ReadAsync(CancellationToken cancellationToken) =>
        TryTake(out var message) ? new ValueTask<T?>(message) : ReadFromPipeAsync(cancellationToken);

    /// <summary>Gives back what is held. The pipe itself stays the caller's.</summary>
    public void Dispose()
    {
        if (_holds) pipe.AdvanceTo(_unread.Start, _unread.End);
        _holds = false;
        _unread = default;
        _inflated.Dispose();
    }

    private async ValueTask<T?> ReadFromPipeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_holds) pipe.AdvanceTo(_unread.Start, _unread.End);
            _holds = false;
            if (_pipeEnded) return null;

            var result = await pipe.ReadAtLeastAsync(_needed, cancellationToken).ConfigureAwait(false);
            _unread = result.Buffer;
            _holds = true;
            _pipeEnded = result.IsCompleted;
            if (TryTake(out var message)) return message;
            if (_pipeEnded && !_unread.IsEmpty)
            {
                throw new RpcException(new Status(StatusCode.Internal, $"The stream ended inside a message ({_unread.Length} B of {_needed} B)."));
            }
        }
    }

    private bool TryTake(out T? message)
    {
        message = null;
        if (!_holds || _unread.Length < Frame.HeaderBytes)
        {
            _needed = Frame.HeaderBytes;
            return false;
        }

        Span<byte> header = stackalloc byte[Frame.HeaderBytes];
        _unread.Slice(0, Frame.HeaderBytes).CopyTo(header);
        int length = CheckHeader(header[0], BinaryPrimitives.ReadUInt32BigEndian(header[1..]));
        _needed = Frame.HeaderBytes + length;
        if (_unread.Length < _needed) return false;

        message = Parse(_unread.Slice(Frame.HeaderBytes, length), header[0] == Frame.Compressed);
        _unread = _unread.Slice(_needed);
        _needed = Frame.HeaderBytes;
        return true;
    }

    private int CheckHeader(byte flags, uint length)
    {
        if (flags > Frame.Compressed) throw new RpcException(new Status(StatusCode.Internal, $"A message has unknown flags ({flags})."));
        if (flags == Frame.Compressed && !gzip)
        {
            throw new RpcException(new Status(StatusCode.Internal, "A message is marked as compressed, but the headers named no compression."));
        }

        int limit = Math.Min(maxMessageBytes.GetValueOrDefault(int.MaxValue), Array.MaxLength - Frame.HeaderBytes);
        if (length <= limit) return (int)length;
        throw new RpcException(new Status(StatusCode.ResourceExhausted, $"A received message has {length} B, above the limit of {limit} B."));
    }

    private T Parse(ReadOnlySequence<byte> body, bool compressed)
    {
        if (compressed)
        {
            _inflated.Clear();
            Gzip.Inflate(body, _inflated, maxMessageBytes);
            body = new ReadOnlySequence<byte>(_inflated.Written);
        }

        _payload = body;
        try
        {
            if (Descriptor is not null) WireCheck.Check(body, Descriptor);
            return marshaller.ContextualDeserializer(this);
        }
        catch (Exception unreadable) when (unreadable is not RpcException)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"A received message is no valid {typeof(T).Name}.", unreadable));
        }
        finally
        {
            _payload = default;
        }
    }
}
