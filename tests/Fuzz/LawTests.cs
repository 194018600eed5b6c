using FsCheck;
using FsCheck.Fluent;
using Membership.Cpg;
using Membership.Daemon.Configuration;
using Membership.Daemon.State;
using Membership.Fuzz.Engine;
using Membership.Fuzz.Targets;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Xunit;

namespace Membership.Fuzz;

/// <summary>Laws of encoders and decoders over drawn values. FsCheck says with which seed a law was broken; arbitrary bytes are shrunk, values with relations of their own are not.</summary>
public sealed class LawTests
{
    private const int Draws = 2000;

    private static readonly Config Often = Config.QuickThrowOnFailure.WithMaxTest(Draws);

    private static readonly Gen<ulong> Numbers = Gen.OneOf(Gen.Choose(0, 300).Select(small => (ulong)small), ArbMap.Default.GeneratorFor<ulong>(), Gen.Constant(ulong.MaxValue));

    [Fact]
    public void A_token_reads_as_it_was_written_and_no_part_of_it_reads() => Check(TokenBytes(), bytes =>
    {
        var token = new Token();
        var again = new byte[Token.BytesMax];
        return token.TryRead(bytes) && again.AsSpan(1, token.Write(again) - 1).SequenceEqual(bytes) && NoPartReads(bytes, part => new Token().TryRead(part));
    });

    [Fact]
    public void A_join_reads_as_it_was_written_and_no_part_of_it_reads() => Check(JoinBytes(), bytes =>
    {
        var join = new JoinMessage(RingExamples.Table);
        var again = new byte[JoinMessage.BytesMax];
        return join.TryRead(bytes) && again.AsSpan(1, join.Write(again) - 1).SequenceEqual(bytes) && NoPartReads(bytes, part => new JoinMessage(RingExamples.Table).TryRead(part));
    });

    [Fact]
    public void A_commit_token_reads_as_it_was_written_and_no_part_of_it_reads() => Check(CommitBytes(), bytes =>
    {
        var token = new CommitToken(RingExamples.Table);
        var again = new byte[CommitToken.BytesMax];
        return token.TryRead(bytes) && again.AsSpan(1, token.Write(again) - 1).SequenceEqual(bytes) && NoPartReads(bytes, part => new CommitToken(RingExamples.Table).TryRead(part));
    });

    [Fact]
    public void A_record_of_quorum_reads_as_it_was_written_and_no_part_of_it_reads() => Check(RecordOf(), record =>
    {
        var bytes = record.Encode();
        return QuorumRecord.Decode(bytes) is { } read && read.Encode().AsSpan().SequenceEqual(bytes) && NoPartReads(bytes, part => QuorumRecord.Decode(part) is not null);
    });

    [Fact]
    public void A_file_of_the_state_directory_with_one_changed_bit_does_not_read() => Check(
        from generation in Numbers from upTo in Numbers from bit in Gen.Choose(0, (Reservation.Bytes * 8) - 1) select (generation, upTo, bit), drawn =>
    {
        var bytes = new Reservation(drawn.generation, drawn.upTo).Encode();
        if (!Reservation.TryDecode(bytes, out var read) || read != new Reservation(drawn.generation, drawn.upTo)) return false;
        bytes[drawn.bit / 8] ^= (byte)(1 << (drawn.bit % 8));
        return !Reservation.TryDecode(bytes, out _);
    });

    [Fact]
    public void A_number_of_groups_reads_as_it_was_written_in_one_form_only() => Check(Numbers.Select(value => (uint)value), value =>
    {
        Span<byte> room = stackalloc byte[GroupWire.VarintBytesMax];
        var bytes = room[..GroupWire.WriteVarint(room, value)];
        var reader = new GroupReader(bytes);
        if (reader.Varint() != value || reader.HasFailed || !reader.IsAtEnd) return false;

        // The same number with a zero behind it is no number.
        byte[] longer = [.. bytes, 0];
        longer[^2] |= 0x80;
        var refused = new GroupReader(longer);
        return bytes.Length == GroupWire.VarintBytesMax || (refused.Varint() == 0 && refused.HasFailed);
    });

    [Fact]
    public void Reports_handshakes_and_fragments_read_as_they_were_written() => Check(
        from a in Numbers from b in Numbers from c in Numbers from flag in Gen.Elements(true, false) from kind in Gen.Choose(1, 3) select (a, b, c, flag, kind), drawn =>
    {
        Span<byte> bytes = stackalloc byte[HandshakeBody.Bytes];
        var report = new Report((uint)drawn.a, drawn.flag, (byte)drawn.b, new NodeSet(drawn.c), (uint)drawn.b, (uint)drawn.c, (uint)drawn.a);
        report.Write(bytes);
        if (Report.Read(bytes) != report) return false;
        var handshake = new HandshakeBody(
            (HandshakeKind)drawn.kind, new Membership.Links.BodyTarget(new NodeId((ushort)drawn.a), drawn.b, new LinkId((byte)drawn.c)), (byte)drawn.a, (byte)drawn.b,
            drawn.flag ? SealAlgorithm.AesGcm : SealAlgorithm.ChaCha20Poly1305, new BootId(drawn.a, drawn.b), drawn.c, new ChallengeBits(drawn.a, drawn.c), new ChallengeBits(drawn.b, drawn.a));
        handshake.Write(bytes, "0.1.0"u8);
        return HandshakeBody.TryRead(bytes, out var read) && read == handshake && !HandshakeBody.TryRead(bytes[1..], out _);
    });

    [Fact]
    public void The_replay_window_agrees_with_a_list_of_everything_seen() => Check(
        Gen.OneOf(Gen.Choose(-40, 40), Gen.Choose(-5000, 5000), Gen.Choose(0, 100_000)).ArrayOf(60), steps =>
    {
        var window = new ReplayWindow();
        var seen = new HashSet<ulong>();
        var (highest, at) = (0UL, 10_000UL);
        foreach (var step in steps)
        {
            at = (ulong)Math.Max(1, (long)at + step);
            var isStale = seen.Contains(at) || (highest >= 4096 && at <= highest - 4096);
            if (window.IsStale(at) != isStale) return false;
            if (isStale) continue;
            window.Accept(at);
            seen.Add(at);
            highest = Math.Max(highest, at);
        }

        return true;
    });

    [Fact]
    public void Durations_and_sizes_read_as_they_were_written() => Check(ArbMap.Default.GeneratorFor<long>().Select(Math.Abs).Where(value => value >= 0), value =>
    {
        var duration = TimeSpan.FromTicks(value / 10 * 10); // the smallest unit is a microsecond
        return Units.TryDuration(Units.Text(duration), out var time) && time == duration && Units.TrySize(Units.Text(value), out var size) && size == value;
    });

    [Fact]
    public void No_bytes_at_all_make_any_parser_throw_or_take_more_memory_than_it_promises()
    {
        foreach (var make in TargetTable.All)
        {
            var target = make();
            var judge = new Judge(target);
            foreach (var seed in target.Seeds()) judge.WarmUp(seed.Bytes);
            Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => judge.Run(bytes, out _) is null).Check(Config.QuickThrowOnFailure.WithMaxTest(100).WithName(target.Name));
        }
    }

    private static void Check<T>(Gen<T> values, Func<T, bool> holds) => Prop.ForAll(values.ToArbitrary(), holds).Check(Often);

    private static bool NoPartReads(byte[] bytes, Func<byte[], bool> reads)
    {
        for (var length = 0; length < bytes.Length; length++)
        {
            if (reads(bytes[..length])) return false;
        }

        return !reads([.. bytes, 0]);
    }

    private static Gen<RingId> RingOf() =>
        from node in Gen.Choose(0, ushort.MaxValue) from sequence in Numbers from incarnation in Numbers select new RingId(new NodeId((ushort)node), sequence, incarnation);

    private static Gen<byte[]> TokenBytes() =>
        from ring in RingOf()
        from seq in Numbers
        from aru in Numbers
        from other in Numbers
        from requests in Gen.Choose(0, Token.RequestsMax)
        select Written(Token.BytesMax, buffer =>
        {
            var token = new Token
            {
                Ring = ring,
                TokenSeq = other,
                Seq = new Seq(seq),
                Aru = new Seq(Math.Min(aru, seq)),
                AruNode = new NodeId((ushort)other),
                FlowBytes = (uint)aru,
                BacklogBytes = (uint)other,
                RecoveringNode = new NodeId((ushort)aru),
                LastSender = new NodeId((ushort)seq),
                IdleRotations = (byte)other,
                HeldOut = new NodeSet(aru),
                HeldOutSoFar = new NodeSet(other),
            };
            for (var i = 0; i < requests && (ulong)i < seq; i++) token.TryAddRequest(new SeqRange(new Seq(1 + (ulong)i), 1));
            return token.Write(buffer);
        });

    private static Gen<byte[]> JoinBytes() =>
        from ring in RingOf()
        from epoch in Numbers
        from proposal in Gen.Choose(0, 7)
        from rows in Gen.Choose(0, 7)
        from other in Numbers
        select Written(JoinMessage.BytesMax, buffer =>
        {
            var message = new JoinMessage(RingExamples.Table) { Epoch = (uint)epoch, Ring = ring, RingSequenceMax = other, Proposal = new NodeSet((ulong)proposal) };
            foreach (var position in new NodeSet((ulong)rows)) message.SetRow(position, new HearingRow(other, (uint)epoch, new NodeSet(other & 7)));
            return message.Write(buffer);
        });

    private static Gen<byte[]> CommitBytes() =>
        from ring in RingOf()
        from old in RingOf()
        from members in Gen.Elements(3UL, 5UL, 6UL, 7UL)
        from high in Numbers
        from aru in Numbers
        from visits in Gen.Choose(1, 6)
        select Written(CommitToken.BytesMax, buffer =>
        {
            var token = new CommitToken(RingExamples.Table);
            token.Begin(ring);
            foreach (var position in new NodeSet(members))
            {
                token.AddMember(position, aru, (uint)high, new NodeSet(aru & 7));
                token.SetState(position, new OldRingState(old, new Seq(Math.Min(aru, high)), new Seq(high), new Seq(Math.Min(aru, high)), new NodeSet(high & 7), new NodeSet(aru & 7)));
            }

            token.Visits = (ushort)Math.Min(visits, 2 * token.Members.Count);
            return token.Write(buffer);
        });

    private static Gen<QuorumRecord> RecordOf() =>
        from epoch in Numbers
        from members in NodesOf()
        from terms in TermsOf(Gen.Choose(0, 100).Select(number => (ulong)number))
        from pending in TermsOf(Gen.Choose(101, 5000).Select(number => (ulong)number)).ArrayOf(4)
        from highest in Gen.Choose(0, int.MaxValue)
        select new QuorumRecord(epoch, members, terms, [.. pending.DistinctBy(each => each.Counter).OrderBy(each => each.Counter)], (ulong)highest);

    private static Gen<QuorumTerms> TermsOf(Gen<ulong> numbers) =>
        from number in numbers
        from voters in NodesOf()
        from votes in Gen.Choose(0, 1 << 20)
        from absent in NodesOf()
        from expected in Gen.Choose(0, 1 << 20)
        from last in NodesOf()
        select new QuorumTerms(number, [.. voters.Select(node => new Voter(node, (ulong)votes))], absent, (ulong)expected, last);

    private static Gen<NodeId[]> NodesOf() =>
        from count in Gen.Choose(0, 8) from nodes in Gen.Choose(1, ushort.MaxValue).ArrayOf(count) select nodes.Distinct().Order().Select(node => new NodeId((ushort)node)).ToArray();

    private static byte[] Written(int room, Func<byte[], int> write)
    {
        var buffer = new byte[room];
        return buffer[1..write(buffer)];
    }
}
