namespace Grpc.Core;

/// <summary>Reads the messages of a stream, one after the other; one reader at a time.</summary>
public interface IAsyncStreamReader<out T>
{
    T Current { get; }

    /// <summary>False at the end of the stream. Throws <see cref="RpcException"/> when the call failed.</summary>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}

/// <summary>Writes the messages of a stream, one after the other; one writer at a time.</summary>
public interface IAsyncStreamWriter<in T>
{
    /// <summary>Apply to the writes that follow. <see cref="WriteFlags.BufferHint"/> says that more is ready to be written.</summary>
    WriteOptions? WriteOptions { get; set; }

    Task WriteAsync(T message);

    Task WriteAsync(T message, CancellationToken cancellationToken);
}

/// <summary>The replies of a server.</summary>
public interface IServerStreamWriter<in T> : IAsyncStreamWriter<T>
{
}

/// <summary>The requests of a client.</summary>
public interface IClientStreamWriter<in T> : IAsyncStreamWriter<T>
{
    /// <summary>Says that no further request comes. The replies go on.</summary>
    Task CompleteAsync();
}

/// <summary>Hints for single writes.</summary>
[Flags]
public enum WriteFlags
{
    /// <summary>More is ready: the bytes may wait for it (at most 32 kB do).</summary>
    BufferHint = 0x1,

    /// <summary>This message is sent as it is, also when the call compresses.</summary>
    NoCompress = 0x2,
}

/// <summary>Options of single writes; immutable.</summary>
public class WriteOptions(WriteFlags flags = default)
{
    public static readonly WriteOptions Default = new();

    public WriteFlags Flags { get; } = flags;
}
