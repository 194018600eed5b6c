using System.Buffers.Text;
using System.Text.Json;
using Membership.Cli.Text;

namespace Membership.Cli.Ring;

/// <summary>Collects JSON lines as bytes and writes them in large pieces; made for hundreds of thousands of lines a second.</summary>
/// <remarks>The owner flushes when nothing more is at hand, so that a line is never held back while the stream is idle.</remarks>
internal sealed class LineBuffer(Stream output)
{
    /// <summary>Above this many bytes the lines are written even in the middle of a batch.</summary>
    public const int FlushBytes = 64 * 1024;

    private const int NumberBytesMax = 20;

    private byte[] _bytes = new byte[FlushBytes + 4096];
    private int _length;

    /// <summary>True when enough is collected to be worth a write.</summary>
    public bool IsFull => _length >= FlushBytes;

    /// <summary>Adds bytes as they are.</summary>
    public LineBuffer Raw(ReadOnlySpan<byte> bytes)
    {
        Room(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
        return this;
    }

    /// <summary>Adds a number.</summary>
    public LineBuffer Number(ulong value)
    {
        Room(NumberBytesMax);
        Utf8Formatter.TryFormat(value, _bytes.AsSpan(_length), out var written);
        _length += written;
        return this;
    }

    /// <summary>Adds a number.</summary>
    public LineBuffer Number(long value)
    {
        Room(NumberBytesMax);
        Utf8Formatter.TryFormat(value, _bytes.AsSpan(_length), out var written);
        _length += written;
        return this;
    }

    /// <summary>Adds bytes as lower-case hexadecimal digits.</summary>
    public LineBuffer Hex(ReadOnlySpan<byte> bytes)
    {
        Room(bytes.Length * 2);
        Convert.TryToHexStringLower(bytes, _bytes.AsSpan(_length), out var written);
        _length += written;
        return this;
    }

    /// <summary>Ends a line.</summary>
    public void EndLine() => Raw("\n"u8);

    /// <summary>Writes out what is collected.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_length == 0)
            return;
        var length = _length;
        _length = 0;
        await output.WriteAsync(_bytes.AsMemory(0, length), cancellationToken);
        await output.FlushAsync(cancellationToken);
    }

    /// <summary>The text as the inside of a JSON string.</summary>
    public static byte[] Encode(string text) => JsonEncodedText.Encode(text, JsonText.Options.Encoder).EncodedUtf8Bytes.ToArray();

    private void Room(int more)
    {
        if (_length + more > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + more));
    }
}
