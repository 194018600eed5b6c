using System.Buffers;
using Google.Protobuf.Reflection;

namespace Membership.Grpc.Messages;

/// <summary>Looks over the bytes of a message before Google.Protobuf reads them.</summary>
/// <remarks>
/// Google.Protobuf 3.25 adds lengths as 32-bit numbers: a group (which no message of proto3 has) with a field of nearly 2^31 bytes in it makes it run over its bounds, or read the
/// same bytes over and over until the memory is full: 22 bytes took 1.8 GB. Here groups are refused, and every field has to end within the message it is in.
/// </remarks>
public static class WireCheck
{
    /// <summary>Messages within each other; Google.Protobuf has the same limit.</summary>
    public const int DepthMax = 100;

    /// <summary>Checks a message and all messages in it. Allocates nothing where the bytes lie in one piece.</summary>
    /// <exception cref="InvalidDataException">These bytes are no message.</exception>
    public static void Check(in ReadOnlySequence<byte> message, MessageDescriptor descriptor)
    {
        if (message.IsSingleSegment)
        {
            Check(message.FirstSpan, descriptor);
            return;
        }

        var rented = ArrayPool<byte>.Shared.Rent((int)message.Length);
        try
        {
            message.CopyTo(rented);
            Check(rented.AsSpan(0, (int)message.Length), descriptor);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Checks a message and all messages in it.</summary>
    /// <exception cref="InvalidDataException">These bytes are no message.</exception>
    public static void Check(ReadOnlySpan<byte> message, MessageDescriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Check(message, descriptor, 0);
    }

    private static void Check(ReadOnlySpan<byte> message, MessageDescriptor descriptor, int depth)
    {
        if (depth > DepthMax) throw new InvalidDataException($"messages are nested deeper than {DepthMax}");
        var fields = new WireReader(message);
        while (fields.Next())
        {
            if (fields.IsBytes && descriptor.FindFieldByNumber(fields.Field) is { FieldType: FieldType.Message } field) Check(fields.Bytes, field.MessageType, depth + 1);
        }
    }
}
