using System.Buffers.Binary;

namespace Membership.Fuzz.Engine;

/// <summary>Changes inputs the way parsers break: bits, bytes, words, interesting numbers, lengths and counts, pieces moved, cut and joined, words of the format.</summary>
internal sealed class Mutator(IReadOnlyList<byte[]> corpus, IReadOnlyList<byte[]> words, int lengthMax, bool isText)
{
    private const int StepsMax = 6;

    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 511, 512, 1000, 1023, 1024, 4095, 4096, 32767, 32768, 65535, 65536,
        (1 << 20) - 1, 1 << 20, 1 << 24, int.MaxValue - 1, int.MaxValue, 1UL << 31, uint.MaxValue - 1, uint.MaxValue, 1UL << 32, 1UL << 56, ulong.MaxValue / 4,
        long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    private static readonly byte[] TextBytes = " \t\r\n:,;{}[]\"'#&*!|>%@-+.=/\\0123456789aAzZ_\0\x7f\x80\xff"u8.ToArray();

    private readonly byte[] _buffer = new byte[2 * lengthMax];
    private int _length;

    /// <summary>What <see cref="Next"/> returned last, with all that was repaired in it since.</summary>
    public ReadOnlySpan<byte> Current => _buffer.AsSpan(0, _length);

    /// <summary>A mutated input; valid until the next call.</summary>
    public Span<byte> Next(ref FuzzRandom random)
    {
        Load(random.Of(corpus));
        if (random.OneIn(12)) return _buffer.AsSpan(0, _length);
        for (var steps = 1 + Math.Min(random.Next(StepsMax), random.Next(StepsMax)); steps > 0; steps--) Step(ref random);
        return _buffer.AsSpan(0, _length);
    }

    private void Load(byte[] bytes)
    {
        _length = Math.Min(bytes.Length, lengthMax);
        bytes.AsSpan(0, _length).CopyTo(_buffer);
    }

    private void Step(ref FuzzRandom random)
    {
        switch (random.Next(isText ? 17 : 14))
        {
            case 0: FlipBit(ref random); break;
            case 1: SetByte(ref random); break;
            case 2: FlipWord(ref random); break;
            case 3: SetNumber(ref random); break;
            case 4: AddSmall(ref random); break;
            case 5: CopyWithin(ref random); break;
            case 6: Remove(random.Next(_length + 1), 1 + random.Next(16)); break;
            case 7: Insert(random.Next(_length + 1), RandomBytes(ref random, stackalloc byte[16])); break;
            case 8: _length = random.Next(_length + 1); break;
            case 9: Extend(ref random); break;
            case 10: Splice(ref random); break;
            case 11: PutWord(ref random); break;
            case 12: BreakLength(ref random); break;
            case 13: Repeat(ref random); break;
            case 14: MoveLine(ref random); break;
            case 15: RemoveLine(ref random); break;
            default: PutTextByte(ref random); break;
        }
    }

    private void FlipBit(ref FuzzRandom random)
    {
        if (_length > 0) _buffer[random.Next(_length)] ^= (byte)(1 << random.Next(8));
    }

    private void SetByte(ref FuzzRandom random)
    {
        if (_length > 0) _buffer[random.Next(_length)] = (byte)random.NextUInt64();
    }

    private void FlipWord(ref FuzzRandom random)
    {
        var width = Math.Min(1 << random.Next(4), _length);
        var at = random.Next(_length - width + 1);
        foreach (ref var one in _buffer.AsSpan(at, width)) one = (byte)~one;
    }

    private void SetNumber(ref FuzzRandom random)
    {
        var width = 1 << random.Next(4);
        if (_length < width) return;
        Write(random.Next(_length - width + 1), width, Interesting[random.Next(Interesting.Length)], random.OneIn(3));
    }

    private void AddSmall(ref FuzzRandom random)
    {
        var width = 1 << random.Next(4);
        if (_length < width) return;
        var (at, isBig) = (random.Next(_length - width + 1), random.OneIn(3));
        Write(at, width, Read(at, width, isBig) + (ulong)(long)(random.Next(71) - 35), isBig);
    }

    private void CopyWithin(ref FuzzRandom random)
    {
        if (_length < 2) return;
        var count = 1 + random.Next(Math.Min(_length - 1, 64));
        _buffer.AsSpan(random.Next(_length - count + 1), count).CopyTo(_buffer.AsSpan(random.Next(_length - count + 1)));
    }

    private void Extend(ref FuzzRandom random)
    {
        var count = Math.Min(1 + random.Next(random.OneIn(8) ? lengthMax : 32), lengthMax - _length);
        if (count <= 0) return;
        var added = _buffer.AsSpan(_length, count);
        if (random.OneIn(2)) added.Clear();
        else foreach (ref var one in added) one = (byte)random.NextUInt64();
        _length += count;
    }

    private void Splice(ref FuzzRandom random)
    {
        var other = random.Of(corpus);
        if (other.Length == 0) return;
        var from = random.Next(other.Length);
        var count = 1 + random.Next(other.Length - from);
        var at = random.Next(_length + 1);
        if (random.OneIn(2)) _length = at;
        Insert(at, other.AsSpan(from, count));
    }

    private void PutWord(ref FuzzRandom random)
    {
        if (words.Count == 0) return;
        var word = random.Of(words);
        var at = random.Next(_length + 1);
        if (random.OneIn(2)) Insert(at, word);
        else word.AsSpan(0, Math.Min(word.Length, _length - at)).CopyTo(_buffer.AsSpan(at));
    }

    /// <summary>Finds a number that looks like the length or the count of what follows, and makes it wrong, or what follows.</summary>
    private void BreakLength(ref FuzzRandom random)
    {
        if (_length < 2) return;
        var start = random.Next(_length);
        for (var tried = 0; tried < Math.Min(_length, 64); tried++)
        {
            var at = (start + tried) % _length;
            var width = 1 << random.Next(4);
            var isBig = random.OneIn(3);
            if (at + width > _length) continue;
            var value = Read(at, width, isBig);
            var rest = (ulong)(_length - at - width);
            if (value == 0 || value > rest + 40) continue;
            switch (random.Next(5))
            {
                case 0: Write(at, width, value + 1, isBig); break;
                case 1: Write(at, width, value - 1, isBig); break;
                case 2: Write(at, width, rest, isBig); break;
                case 3: Write(at, width, Interesting[random.Next(Interesting.Length)], isBig); break;
                default: _length = at + width + (int)Math.Min(rest, value > 0 ? value - 1 : 0); break;
            }
            return;
        }
    }

    private void Repeat(ref FuzzRandom random)
    {
        if (_length == 0) return;
        var from = random.Next(_length);
        var count = 1 + random.Next(Math.Min(_length - from, 48));
        Span<byte> piece = stackalloc byte[48];
        _buffer.AsSpan(from, count).CopyTo(piece);
        for (var times = 1 + random.Next(random.OneIn(16) ? 64 : 3); times > 0; times--) Insert(from, piece[..count]);
    }

    private void MoveLine(ref FuzzRandom random)
    {
        var (from, count) = Line(ref random);
        if (count is 0 or > 256) return;
        Span<byte> line = stackalloc byte[256];
        _buffer.AsSpan(from, count).CopyTo(line);
        if (random.OneIn(2)) Remove(from, count);
        var (to, _) = Line(ref random);
        Insert(to, line[..count]);
    }

    private void RemoveLine(ref FuzzRandom random)
    {
        var (from, count) = Line(ref random);
        Remove(from, count);
    }

    private void PutTextByte(ref FuzzRandom random)
    {
        var one = TextBytes[random.Next(TextBytes.Length)];
        if (random.OneIn(2) || _length == 0) Insert(random.Next(_length + 1), [one]);
        else _buffer[random.Next(_length)] = one;
    }

    private (int From, int Count) Line(ref FuzzRandom random)
    {
        if (_length == 0) return (0, 0);
        var text = _buffer.AsSpan(0, _length);
        var at = random.Next(_length);
        var from = text[..at].LastIndexOf((byte)'\n') + 1;
        var end = text[from..].IndexOf((byte)'\n');
        return (from, (end < 0 ? _length - from : end + 1));
    }

    private static ReadOnlySpan<byte> RandomBytes(ref FuzzRandom random, Span<byte> room)
    {
        room = room[..(1 + random.Next(room.Length))];
        foreach (ref var one in room) one = (byte)random.NextUInt64();
        return room;
    }

    private void Insert(int at, ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(bytes.Length, lengthMax - _length);
        if (count <= 0) return;
        _buffer.AsSpan(at, _length - at).CopyTo(_buffer.AsSpan(at + count));
        bytes[..count].CopyTo(_buffer.AsSpan(at));
        _length += count;
    }

    private void Remove(int at, int count)
    {
        count = Math.Min(count, _length - at);
        if (count <= 0) return;
        _buffer.AsSpan(at + count, _length - at - count).CopyTo(_buffer.AsSpan(at));
        _length -= count;
    }

    private ulong Read(int at, int width, bool isBig)
    {
        Span<byte> word = stackalloc byte[8];
        word.Clear();
        var from = _buffer.AsSpan(at, width);
        if (!isBig) from.CopyTo(word);
        else for (var i = 0; i < width; i++) word[i] = from[width - 1 - i];
        return BinaryPrimitives.ReadUInt64LittleEndian(word);
    }

    private void Write(int at, int width, ulong value, bool isBig)
    {
        for (var i = 0; i < width; i++) _buffer[at + (isBig ? width - 1 - i : i)] = (byte)(value >> (8 * i));
    }
}
