using System.Numerics;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>Reads the fields of a protobuf message where they lie. Whoever reads skips the fields it does not know.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> message)
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;
    private const int Fixed32 = 5;
    private const int VarintBytesMax = 10;

    private ReadOnlySpan<byte> _rest = message;

    /// <summary>Number of the field at hand.</summary>
    public int Field { get; private set; }

    /// <summary>Its value when it is a number.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its value when it is text, bytes or a message.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="InvalidDataException">These bytes are no message.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        var tag = TakeVarint();
        Field = (int)(tag >> 3);
        Bytes = default;
        switch ((int)(tag & 7))
        {
            case Varint: Number = TakeVarint(); break;
            case LengthDelimited: Bytes = Take(TakeVarint()); break;
            case Fixed64: Take(sizeof(ulong)); break;
            case Fixed32: Take(sizeof(uint)); break;
            default: throw new InvalidDataException($"a field has wire type {tag & 7}");
        }
        return true;
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length) throw new InvalidDataException($"a field of {length} bytes where {_rest.Length} are left");
        var taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }

    private ulong TakeVarint()
    {
        ulong value = 0;
        for (var at = 0; at < _rest.Length && at < VarintBytesMax; at++)
        {
            value |= (ulong)(_rest[at] & 0x7f) << (7 * at);
            if (_rest[at] >= 0x80) continue;
            _rest = _rest[(at + 1)..];
            return value;
        }
        throw new InvalidDataException("a number without end");
    }
}

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
