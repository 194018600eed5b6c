using System.Runtime.InteropServices;

namespace Membership.Cli.Text;

/// <summary>Standard output by the system's own write call.</summary>
/// <remarks>
/// Console streams of .NET take a closed pipe for success: <c>mbr ring tail | head</c> would go on for ever. File streams keep a
/// position of their own and would overwrite what others write into the same file. This one does neither.
/// </remarks>
internal sealed partial class StandardOutput : Stream
{
    private const int Descriptor = 1;
    private const int Interrupted = 4;  // EINTR
    private const int WouldBlock = 11;  // EAGAIN
    private const int BrokenPipe = 32;  // EPIPE
    private const short PollOut = 4;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException("standard output has no length");

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException("standard output has no position");
        set => throw new NotSupportedException("standard output has no position");
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        // nothing is kept back
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var written = WriteTo(Descriptor, in MemoryMarshal.GetReference(buffer), buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }
            switch (Marshal.GetLastPInvokeError())
            {
                case Interrupted:
                    continue;
                case WouldBlock:
                    WaitForRoom();
                    continue;
                case BrokenPipe:
                    throw new BrokenPipeException();
                case var error:
                    throw new IOException(Marshal.GetPInvokeErrorMessage(error));
            }
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("standard output cannot be read");

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("standard output has no position");

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("standard output has no length");

    // Somebody who shares the terminal or pipe made it non-blocking.
    private static void WaitForRoom()
    {
        var wait = new PollDescriptor { Descriptor = Descriptor, Events = PollOut };
        _ = Poll(ref wait, 1, -1); // interrupted or not, the next write tells
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteTo(int descriptor, in byte buffer, nint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int timeoutMs);
}

/// <summary>What read the output has ended; as with every filter, the command ends without a word.</summary>
internal sealed class BrokenPipeException() : IOException("what read the output has ended");
