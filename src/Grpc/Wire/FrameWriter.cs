using System.Buffers;
using System.Buffers.Binary;
using Grpc.Core;

namespace Membership.Grpc.Wire;

/// <summary>Turns messages into frames at the end of an output. One message at a time.</summary>
/// <remarks>A message of announced length goes straight into the output; any other is gathered in a pooled buffer first.</remarks>
internal sealed class FrameWriter<T>(Marshaller<T> marshaller, IBufferWriter<byte> output, int? maxMessageBytes)
    : SerializationContext, IBufferWriter<byte>, IDisposable
{
    private readonly PooledBuffer _gathered = new();
    private bool _compress;
    private bool _direct;
    private bool _complete;
    private int _announced;
    private int _written;

    /// <summary>A message failed half-way into the output: what follows cannot be understood, so the stream must be reset.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>How many bytes have been put into the output since the last call of <see cref="TakePending"/>.</summary>
    public int Pending { get; private set; }

    public void TakePending() => Pending = 0;

    public void Write(T message, bool compress)
    {
        _compress = compress;
        _direct = false;
        _complete = false;
        _announced = 0;
        _written = 0;
        _gathered.Clear();

        try
        {
            marshaller.ContextualSerializer(message, this);
        }
        catch (Exception)
        {
            IsBroken |= _direct;
            throw;
        }

        if (_complete) return;
        IsBroken |= _direct;
        throw new InvalidOperationException($"The serialiser of {typeof(T).Name} did not complete its message.");
    }

    public override void SetPayloadLength(int payloadLength)
    {
        CheckSize(payloadLength);
        if (_compress) return;
        WriteHeader(payloadLength, flags: 0);
        _announced = payloadLength;
        _direct = true;
    }

    public override IBufferWriter<byte> GetBufferWriter() => this;

    public override void Complete()
    {
        if (_direct)
        {
            if (_written != _announced)
            {
                throw new InvalidOperationException(
                    $"The serialiser of {typeof(T).Name} announced {_announced} B and wrote {_written} B. Was the message changed meanwhile?");
            }
            Pending += _written;
            _complete = true;
            return;
        }
        Emit(_gathered.Written.Span);
    }

    public override void Complete(byte[] payload)
    {
        ArgumentNullException.ThrowIfNull(payload);
        if (_direct) throw new InvalidOperationException("A message of announced length is written to the buffer writer.");
        Emit(payload);
    }

    public void Advance(int count)
    {
        if (_direct) output.Advance(count);
        else _gathered.Advance(count);
        _written += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0) => _direct ? output.GetMemory(sizeHint) : _gathered.GetMemory(sizeHint);

    public Span<byte> GetSpan(int sizeHint = 0) => _direct ? output.GetSpan(sizeHint) : _gathered.GetSpan(sizeHint);

    public void Dispose() => _gathered.Dispose();

    private void Emit(ReadOnlySpan<byte> payload)
    {
        CheckSize(payload.Length);
        if (_compress)
        {
            using var deflated = new PooledBuffer();
            Gzip.Compress(payload, deflated);
            WriteFrame(deflated.Written.Span, Frame.Compressed);
        }
        else
        {
            WriteFrame(payload, flags: 0);
        }
        _complete = true;
    }

    private void WriteFrame(ReadOnlySpan<byte> body, byte flags)
    {
        WriteHeader(body.Length, flags);
        output.Write(body);
        Pending += body.Length;
    }

    private void WriteHeader(int length, byte flags)
    {
        var header = output.GetSpan(Frame.HeaderBytes);
        header[0] = flags;
        BinaryPrimitives.WriteUInt32BigEndian(header[1..], (uint)length);
        output.Advance(Frame.HeaderBytes);
        Pending += Frame.HeaderBytes;
    }

    private void CheckSize(int length)
    {
        if (length <= maxMessageBytes.GetValueOrDefault(int.MaxValue)) return;
        throw new RpcException(new Status(
            StatusCode.ResourceExhausted, $"The message to send has {length} B, above the limit of {maxMessageBytes} B. It was not sent."));
    }
}
