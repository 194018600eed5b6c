using System.Buffers.Binary;
using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum;

/// <summary>Kinds of messages of quorum's service.</summary>
internal enum QuorumMessageKind : byte
{
    /// <summary>What a member knows, once per view with members that joined.</summary>
    Report = 1,

    /// <summary>A change is asked for.</summary>
    Propose = 2,

    /// <summary>The sender has made the named pending terms durable.</summary>
    Acknowledge = 3,

    /// <summary>What the witness said to the sender about this view.</summary>
    Witness = 4,
}

/// <summary>What a proposal asks for.</summary>
internal enum ProposalKind : byte
{
    SetVotes = 1,
    SetExpected = 2,
    CancelWaitForAll = 3,

    /// <summary>The last-man-standing window has passed: give up who is absent.</summary>
    GiveUpAbsent = 4,

    /// <summary>This node left cleanly: its votes no longer count.</summary>
    Downscale = 5,
}

/// <summary>Writes little-endian fields into a growing buffer.</summary>
internal sealed class QuorumWriter
{
    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    public void Byte(byte value) => _bytes.Add(value);

    public void UInt16(ushort value)
    {
        Span<byte> span = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(span, value);
        _bytes.AddRange(span);
    }

    public void UInt64(ulong value)
    {
        Span<byte> span = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(span, value);
        _bytes.AddRange(span);
    }

    public void Ring(RingId ring)
    {
        UInt16(ring.Representative.Value);
        UInt64(ring.Sequence);
        UInt64(ring.Incarnation);
    }

    public void Record(QuorumRecord record)
    {
        UInt64(record.Epoch);
        Nodes(record.Members);
        Terms(record.Terms);
        Byte((byte)record.Pending.Count);
        foreach (var terms in record.Pending) Terms(terms);
        UInt64(record.HighestExpected);
    }

    private void Terms(QuorumTerms terms)
    {
        UInt64(terms.Counter);
        Byte((byte)terms.Votes.Count);
        foreach (var voter in terms.Votes)
        {
            UInt16(voter.Node.Value);
            UInt64(voter.Votes);
        }

        Nodes(terms.Out);
        UInt64(terms.Expected);
        Nodes(terms.Last);
    }

    private void Nodes(IReadOnlyList<NodeId> nodes)
    {
        Byte((byte)nodes.Count);
        foreach (var node in nodes) UInt16(node.Value);
    }
}

/// <summary>Reads little-endian fields; checks length, counts, order and limits of all it reads, and remembers a failure instead of throwing.</summary>
internal ref struct QuorumReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>Number, three empty lists, expected votes.</summary>
    private const int TermsBytesMin = sizeof(ulong) + 1 + 1 + sizeof(ulong) + 1;

    private ReadOnlySpan<byte> _rest = bytes;
    private bool _failed;

    /// <summary>True when everything was read and nothing failed.</summary>
    public readonly bool IsComplete => !_failed && _rest.IsEmpty;

    public byte Byte() => Take(1) is { Length: 1 } span ? span[0] : (byte)0;

    public ushort UInt16() => Take(2) is { Length: 2 } span ? BinaryPrimitives.ReadUInt16LittleEndian(span) : (ushort)0;

    public ulong UInt64() => Take(8) is { Length: 8 } span ? BinaryPrimitives.ReadUInt64LittleEndian(span) : 0;

    public RingId Ring() => new(new NodeId(UInt16()), UInt64(), UInt64());

    /// <summary>A record, or null where it is not one.</summary>
    public QuorumRecord? Record()
    {
        var epoch = UInt64();
        var members = Nodes();
        var terms = Terms();
        var pending = new QuorumTerms[Count(QuorumRecord.PendingMax, TermsBytesMin)];
        for (var i = 0; i < pending.Length && !_failed; i++)
        {
            pending[i] = Terms();
            var previous = i == 0 ? terms : pending[i - 1];
            if (QuorumTerms.Compare(pending[i], previous) <= 0 || pending[i].Counter <= terms.Counter) _failed = true;
        }

        var highest = UInt64();
        if (highest > QuorumOptions.ExpectedMax) _failed = true;
        return _failed ? null : new QuorumRecord(epoch, members, terms, pending, highest);
    }

    private QuorumTerms Terms()
    {
        var counter = UInt64();
        var votes = ArrayOf<Voter>(Count(NodeTable.Max, sizeof(ushort) + sizeof(ulong)));
        for (var i = 0; i < votes.Length; i++)
        {
            votes[i] = new Voter(new NodeId(UInt16()), UInt64());
            if (votes[i].Votes > QuorumOptions.VotesMax || (i > 0 && votes[i].Node <= votes[i - 1].Node)) _failed = true;
        }

        var absent = Nodes();
        var expected = UInt64();
        if (expected > QuorumOptions.ExpectedMax) _failed = true;
        return new QuorumTerms(counter, votes, absent, expected, Nodes());
    }

    private NodeId[] Nodes()
    {
        var nodes = ArrayOf<NodeId>(Count(NodeTable.Max, sizeof(ushort)));
        for (var i = 0; i < nodes.Length; i++)
        {
            nodes[i] = new NodeId(UInt16());
            if (i > 0 && nodes[i] <= nodes[i - 1]) _failed = true;
        }

        return nodes;
    }

    /// <summary>How many follow; zero after a failure, and never more than there are bytes for: a count alone takes no memory.</summary>
    private int Count(int max, int bytesEach)
    {
        int count = Byte();
        if (count <= max && count * bytesEach <= _rest.Length) return count;
        _failed = true;
        return 0;
    }

    private static T[] ArrayOf<T>(int count) => count == 0 ? [] : new T[count];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (_failed || _rest.Length < count)
        {
            _failed = true;
            _rest = default;
            return default;
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
