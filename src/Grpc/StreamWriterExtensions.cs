using System.Threading.Channels;
using Grpc.Core;

namespace Membership.Grpc;

/// <summary>Fast writing of streams: what is ready travels together, and nothing waits once nothing more is ready.</summary>
public static class StreamWriterExtensions
{
    private static readonly WriteOptions MoreFollows = new(WriteFlags.BufferHint);

    /// <summary>Writes everything that comes through a channel until it is completed.</summary>
    /// <remarks>A message is flushed when the channel holds nothing more, and at the latest each 32 kB. Cancel ends the call.</remarks>
    public static async Task WriteAllAsync<T>(this IAsyncStreamWriter<T> writer, ChannelReader<T> source, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(source);
        while (await source.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!source.TryRead(out var message)) continue;
            while (source.TryRead(out var next))
            {
                writer.WriteOptions = MoreFollows;
                await writer.WriteAsync(message, cancellationToken).ConfigureAwait(false);
                message = next;
            }
            writer.WriteOptions = WriteOptions.Default;
            await writer.WriteAsync(message, cancellationToken).ConfigureAwait(false);
        }
    }
}
