namespace Membership.Virtual;

/// <summary>One datagram under way. One copy serves all its targets; it returns to its pool when the last of them is done with it.</summary>
public sealed class Datagram
{
    private int _users;
    private DatagramPool? _pool;

    internal Datagram(int capacity) => Buffer = new byte[capacity];

    /// <summary>Position of the node that sent it; -1 when its source address is nobody's.</summary>
    public int From { get; internal set; }

    public byte Link { get; internal set; }

    internal byte[] Buffer { get; }

    internal int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => Buffer.AsSpan(0, Length);

    internal void Begin(DatagramPool pool, int from, byte link, int length)
    {
        (_pool, From, Link, Length, _users) = (pool, from, link, length, 1);
    }

    internal void Share() => _users++;

    internal void Release()
    {
        if (--_users == 0) _pool!.Return(this);
    }

    internal void Shorten(int length) => Length = length;
}

/// <summary>Datagrams to use again, in two sizes.</summary>
public sealed class DatagramPool
{
    private const int SmallBytes = 512;
    private const int LargeBytes = 9216;

    private readonly Stack<Datagram> _small = new();
    private readonly Stack<Datagram> _large = new();

    internal Datagram Rent(int from, byte link, ReadOnlySpan<byte> bytes)
    {
        var pool = bytes.Length <= SmallBytes ? _small : _large;
        if (!pool.TryPop(out var datagram)) datagram = new Datagram(bytes.Length <= SmallBytes ? SmallBytes : Math.Max(LargeBytes, bytes.Length));
        datagram.Begin(this, from, link, bytes.Length);
        bytes.CopyTo(datagram.Buffer);
        return datagram;
    }

    internal void Return(Datagram datagram)
    {
        if (datagram.Buffer.Length == SmallBytes) _small.Push(datagram);
        else _large.Push(datagram);
    }
}
