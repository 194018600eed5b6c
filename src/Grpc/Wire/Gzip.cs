using System.Buffers;
using System.IO.Compression;
using Grpc.Core;

namespace Membership.Grpc.Wire;

/// <summary>The one compression both halves know beside none.</summary>
internal static class Gzip
{
    public const string Name = "gzip";

    public const string Identity = "identity";

    private const int StepBytes = 16 * 1024;

    public static void Compress(ReadOnlySpan<byte> payload, PooledBuffer output)
    {
        using var gzip = new GZipStream(new BufferStream(output), CompressionLevel.Fastest, leaveOpen: true);
        gzip.Write(payload);
    }

    /// <summary>Inflates up to the limit; a small input may not fill the memory.</summary>
    public static void Inflate(ReadOnlySequence<byte> payload, PooledBuffer output, int? maxBytes)
    {
        var rented = ArrayPool<byte>.Shared.Rent((int)payload.Length);
        try
        {
            payload.CopyTo(rented);
            using var gzip = new GZipStream(new MemoryStream(rented, 0, (int)payload.Length, writable: false), CompressionMode.Decompress);
            while (true)
            {
                int read = gzip.Read(output.GetSpan(StepBytes)[..StepBytes]);
                if (read == 0) return;
                output.Advance(read);
                if (output.Length > maxBytes.GetValueOrDefault(int.MaxValue))
                {
                    throw new RpcException(new Status(
                        StatusCode.ResourceExhausted, $"The received message inflates beyond the limit of {maxBytes} B."));
                }
            }
        }
        catch (InvalidDataException broken)
        {
            throw new RpcException(new Status(StatusCode.Internal, "The received message is not valid gzip.", broken));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Lets a compressor write into a pooled buffer.</summary>
    private sealed class BufferStream(PooledBuffer output) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => output.Length;

        public override long Position
        {
            get => output.Length;
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => output.Write(buffer);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
