namespace Membership.Grpc.Wire;

/// <summary>The length-prefixed message of gRPC over HTTP/2: one byte of flags, four of length (big endian), the message.</summary>
internal static class Frame
{
    public const int HeaderBytes = 5;

    /// <summary>Flag: the message is compressed as the header <c>grpc-encoding</c> says.</summary>
    public const byte Compressed = 1;

    /// <summary>What may wait for more to come before it is flushed.</summary>
    public const int FlushThresholdBytes = 32 * 1024;

    /// <summary>Default bound of one received message, as everywhere in gRPC.</summary>
    public const int DefaultMaxReceiveBytes = 4 * 1024 * 1024;
}
