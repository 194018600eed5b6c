namespace Membership.Grpc.Messages;

/// <summary>Reads the fields of a protobuf message where they lie, for streams whose messages are too many to become objects.</summary>
/// <remarks>Whoever reads skips the fields it does not know. Encoding: protobuf.dev, "Encoding"; groups are refused.</remarks>
/// <param name="message">The encoded message; what is read points into it.</param>
public ref struct WireReader(ReadOnlySpan<byte> message)
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

    /// <summary>True when the field is a varint: then <see cref="Number"/> is its value.</summary>
    public bool IsNumber { get; private set; }

    /// <summary>True when the field is text, bytes or a message: then <see cref="Bytes"/> is its value.</summary>
    public bool IsBytes { get; private set; }

    /// <summary>Bytes of the message not read yet.</summary>
    public readonly int Left => _rest.Length;

    /// <summary>Its value when it is text, bytes or a message.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="InvalidDataException">These bytes are no message.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        var tag = TakeVarint();
        if (tag is < 1 << 3 or > uint.MaxValue) throw new InvalidDataException($"tag {tag} names no field");
        Field = (int)(tag >> 3);
        Bytes = default;
        var kind = (int)(tag & 7);
        (IsNumber, IsBytes) = (kind == Varint, kind == LengthDelimited);
        switch (kind)
        {
            case Varint: Number = TakeVarint(); break;
            case LengthDelimited: Bytes = Take(TakeVarint()); break;
            case Fixed64: Take(sizeof(ulong)); break;
            case Fixed32: Take(sizeof(uint)); break;
            default: throw new InvalidDataException($"a field has wire type {kind}");
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
