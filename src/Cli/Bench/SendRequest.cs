using System.Numerics;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>A GroupRequest with a SendToGroup in it, written in place again and again.</summary>
/// <param name="handle">Of the group, below 128.</param>
/// <param name="size">Bytes of each payload.</param>
/// <param name="level">Agreed or safe.</param>
internal sealed class SendRequest(uint handle, int size, DeliveryLevel level)
{
    private const int HandleBytes = 2;
    private const int LevelAndReceiptsBytes = 4;
    private const int LengthDelimited = 2;

    private byte[] _bytes = [];
    private int _length;

    /// <summary>The request as it stands.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, _length);

    /// <summary>Begins a request for so many messages; the failed ones alone get receipts.</summary>
    public void Begin(int count)
    {
        var body = HandleBytes + (count * PayloadBytes) + LevelAndReceiptsBytes;
        var needed = 1 + VarintBytes((uint)body) + body;
        if (_bytes.Length < needed) _bytes = new byte[needed];
        _length = 0;
        Number((GroupRequest.SendFieldNumber << 3) | LengthDelimited);
        Number((uint)body);
        Field(SendToGroup.HandleFieldNumber, handle);
        Field(SendToGroup.LevelFieldNumber, (uint)level);
        Field(SendToGroup.WithoutReceiptsFieldNumber, 1);
    }

    /// <summary>The next payload, to be filled.</summary>
    public Span<byte> Payload()
    {
        Number((SendToGroup.PayloadsFieldNumber << 3) | LengthDelimited);
        Number((uint)size);
        var payload = _bytes.AsSpan(_length, size);
        _length += size;
        return payload;
    }

    private int PayloadBytes => 1 + VarintBytes((uint)size) + size;

    private static int VarintBytes(uint value) => (BitOperations.Log2(value | 1) + 7) / 7;

    private void Field(int field, uint value)
    {
        Number((uint)field << 3);
        Number(value);
    }

    private void Number(uint value)
    {
        for (; value >= 0x80; value >>= 7) _bytes[_length++] = (byte)(value | 0x80);
        _bytes[_length++] = (byte)value;
    }
}
