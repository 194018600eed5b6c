using Membership.Fuzz.Engine;
using Membership.Links;
using Membership.Totem;

namespace Membership.Fuzz.Targets;

/// <summary>What the targets of the ring's packets share: three nodes, one ring.</summary>
internal static class RingExamples
{
    public static NodeTable Table { get; } = new([new NodeId(1), new NodeId(2), new NodeId(3)]);

    public static RingId Ring { get; } = new(new NodeId(1), 4, 0x1234_5678_9abc_def0);

    public static RingId OldRing { get; } = new(new NodeId(2), 1, 0xfedc_ba98);

    public static byte[] Cut(byte[] buffer, int length) => buffer[1..length];
}

/// <summary>Writes what was read, reads that again and writes it again. Another table of nodes than ours is translated when it is read; what is written is in ours, and stays as it is.</summary>
/// <param name="bytesMax">Of what is written.</param>
/// <param name="write">Writes what was read.</param>
/// <param name="readAgain">Reads into another instance.</param>
/// <param name="writeAgain">Writes that one.</param>
internal sealed class SecondReading(int bytesMax, Writer write, Reader readAgain, Writer writeAgain)
{
    private readonly byte[] _once = new byte[bytesMax];
    private readonly byte[] _twice = new byte[bytesMax];

    /// <summary>Throws when what was read does not read again as itself.</summary>
    /// <param name="what">That was read.</param>
    public void Check(string what)
    {
        var length = write(_once);
        if (!readAgain(_once.AsSpan(1, length - 1)) || writeAgain(_twice) != length || !_twice.AsSpan(0, length).SequenceEqual(_once.AsSpan(0, length)))
            throw new BrokenPromiseException($"{what} that was read is not read again");
    }
}

/// <summary>Writes a packet with its kind byte; returns its length.</summary>
internal delegate int Writer(Span<byte> buffer);

/// <summary>Reads a packet without its kind byte.</summary>
internal delegate bool Reader(ReadOnlySpan<byte> bytes);

/// <summary>The ring's token behind its kind byte.</summary>
internal sealed class TokenTarget : Target
{
    private readonly Token _token = new();
    private readonly Token _again = new();
    private readonly byte[] _written = new byte[Token.BytesMax];

    public override string Name => "totem/token";

    public override IReadOnlyList<string> Reasons { get; } = ["read", "too short", "more requests than a token has", "bytes left over or missing", "numbers that cannot be"];

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("idle", Write(0));
        yield return new Seed("one-request", Write(1));
        yield return new Seed("full", Write(Token.RequestsMax));
        byte[] many = [.. Write(Token.RequestsMax), .. new byte[10]];
        many[74] = Token.RequestsMax + 1;
        yield return new Seed("one-too-many", many);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (_token.TryRead(input))
        {
            var length = _token.Write(_written);
            if (!input.SequenceEqual(_written.AsSpan(1, length - 1)) || !_again.TryRead(_written.AsSpan(1, length - 1)))
                throw new BrokenPromiseException("a token that was read is written otherwise");
            return 0;
        }

        if (input.Length < 75) return 1;
        if (input[74] > Token.RequestsMax) return 2;
        return input.Length != 75 + (10 * input[74]) ? 3 : 4;
    }

    private static byte[] Write(int requests)
    {
        var token = new Token
        {
            Ring = RingExamples.Ring,
            TokenSeq = 99,
            Seq = new Seq(500),
            Aru = new Seq(requests == 0 ? 500UL : 100),
            AruNode = new NodeId(2),
            FlowBytes = 1000,
            BacklogBytes = 2000,
            RecoveringNode = new NodeId(3),
            LastSender = new NodeId(1),
            IdleRotations = 1,
            HeldOut = new NodeSet(4),
            HeldOutSoFar = new NodeSet(2),
        };
        for (var i = 0; i < requests; i++) token.TryAddRequest(new SeqRange(new Seq(101 + (ulong)(5 * i)), 2));
        var buffer = new byte[Token.BytesMax];
        return RingExamples.Cut(buffer, token.Write(buffer));
    }
}

/// <summary>The commit token behind its kind byte.</summary>
internal sealed class CommitTokenTarget : Target
{
    private readonly CommitToken _token = new(RingExamples.Table);
    private readonly SecondReading _second;

    public CommitTokenTarget()
    {
        var again = new CommitToken(RingExamples.Table);
        _second = new SecondReading(CommitToken.BytesMax, _token.Write, again.TryRead, again.Write);
    }

    public override string Name => "totem/commit-token";

    public override IReadOnlyList<string> Reasons { get; } = ["read", "too short", "no table of nodes", "a table and nothing that fits it"];

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("first-round", Write(3, 1));
        yield return new Seed("second-round", Write(3, 4));
        yield return new Seed("two-members", Write(2, 2));
        var none = Write(2, 2);
        none[20] = 0;
        yield return new Seed("no-table", none);
        var large = Write(2, 2);
        large[20] = 65;
        yield return new Seed("a-table-too-large", large);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (_token.TryRead(input))
        {
            _second.Check("a commit token");
            return 0;
        }

        if (input.Length < 29) return 1;
        return input[20] is 0 or > NodeTable.Max ? 2 : 3;
    }

    private static byte[] Write(int members, ushort visits)
    {
        var token = new CommitToken(RingExamples.Table);
        token.Begin(RingExamples.Ring);
        for (var i = 0; i < members; i++)
        {
            token.AddMember(i, 1000 + (ulong)i, (uint)i + 1, new NodeSet(7));
            token.SetState(i, new OldRingState(RingExamples.OldRing, new Seq(10), new Seq(12), new Seq(9), new NodeSet(1), NodeSet.Empty));
        }

        token.Visits = visits;
        var buffer = new byte[CommitToken.BytesMax];
        return RingExamples.Cut(buffer, token.Write(buffer));
    }
}

/// <summary>A Join behind its kind byte.</summary>
internal sealed class JoinTarget : Target
{
    private readonly JoinMessage _join = new(RingExamples.Table);
    private readonly SecondReading _second;

    public JoinTarget()
    {
        var again = new JoinMessage(RingExamples.Table);
        _second = new SecondReading(JoinMessage.BytesMax, _join.Write, again.TryRead, again.Write);
    }

    public override string Name => "totem/join";

    public override IReadOnlyList<string> Reasons { get; } = ["read", "too short", "no table of nodes", "a table and nothing that fits it"];

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("all-rows", Write(3, 7));
        yield return new Seed("own-row", Write(1, 1));
        yield return new Seed("no-rows", Write(0, 2));
        var none = Write(2, 3);
        none[30] = 0;
        yield return new Seed("no-table", none);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (_join.TryRead(input))
        {
            _second.Check("a Join");
            return 0;
        }

        if (input.Length < 40) return 1;
        return input[30] is 0 or > NodeTable.Max ? 2 : 3;
    }

    private static byte[] Write(int rows, ulong proposal)
    {
        var join = new JoinMessage(RingExamples.Table) { Epoch = 3, Ring = RingExamples.Ring, RingSequenceMax = 8, Proposal = new NodeSet(proposal) };
        for (var i = 0; i < rows; i++) join.SetRow(i, new HearingRow(1000 + (ulong)i, 2, new NodeSet(7)));
        var buffer = new byte[JoinMessage.BytesMax];
        return RingExamples.Cut(buffer, join.Write(buffer));
    }
}

/// <summary>A numbered frame: header, pieces of messages, or a frame of an old ring inside.</summary>
internal sealed class DataFrameTarget : Target
{
    public override string Name => "totem/data-frame";

    public override IReadOnlyList<string> Reasons { get; } = ["pieces", "an old ring's frame inside", "too short", "no frame, or flags that are unknown", "no number or sender", "pieces or inner frame that make no sense"];

    public override int LengthMax => 1500;

    public override IEnumerable<Seed> Seeds()
    {
        var whole = Frame(0, [Piece.FirstFlag | Piece.LastFlag, 1, 3, 0, 1, 2, 3]);
        yield return new Seed("one-piece", whole);
        yield return new Seed("three-pieces", Frame(DataFrame.SafeFlag, [3, 1, 1, 0, 9, 7, 2, 2, 0, 1, 2, 3, 0, 0, 0]));
        yield return new Seed("padding", Frame(0, [3, 0, 1, 0, 5, Piece.PaddingFlag, 0, 0, 0, 0]));
        yield return new Seed("first-fragment", Frame(0, [Piece.FirstFlag, 0, 4, 0, 0, 0, 100, 0, 0, 0, 1, 2, 3, 4]));
        yield return new Seed("last-fragment", Frame(0, [Piece.LastFlag, 0, 4, 0, 7, 0, 1, 2, 3, 4]));
        yield return new Seed("encapsulated", Frame(DataFrame.EncapsulatedFlag, whole));
        yield return new Seed("encapsulated-twice", Frame(DataFrame.EncapsulatedFlag, Frame(DataFrame.EncapsulatedFlag, whole)));
        yield return new Seed("without-number", Frame(0, [3, 1, 0, 0], 0));
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (!DataFrame.TryRead(input, out var frame))
        {
            if (input.Length <= DataFrame.HeaderBytes) return 2;
            if (input[0] != (byte)PacketKind.Data || input[1] > 3) return 3;
            return input[2..4].IndexOfAnyExcept((byte)0) < 0 || input[22..30].IndexOfAnyExcept((byte)0) < 0 ? 4 : 5;
        }

        if (frame.IsEncapsulated) return 1;
        var pieces = new PieceReader(frame.Body);
        var bytes = 0;
        while (pieces.TryNext(out var piece)) bytes += piece.Payload.Length;
        if (pieces.IsMalformed || bytes > input.Length) throw new BrokenPromiseException("pieces of a frame that was read cannot be read");
        return 0;
    }

    private static byte[] Frame(byte flags, byte[] body, ulong seq = 77)
    {
        var buffer = new byte[DataFrame.HeaderBytes + body.Length];
        DataFrame.WriteHeader(buffer, flags, new NodeId(2), RingExamples.Ring, new Seq(seq), 5);
        body.CopyTo(buffer, DataFrame.HeaderBytes);
        return buffer;
    }
}
