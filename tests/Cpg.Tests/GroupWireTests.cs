using Membership.Links;
using Membership.Totem;
using Xunit;

namespace Membership.Cpg.Tests;

/// <summary>Bytes of the groups' service.</summary>
public sealed class GroupWireTests
{
    [Theory]
    [InlineData(1u, 2)]
    [InlineData(127u, 2)]
    [InlineData(128u, 3)]
    [InlineData(16_383u, 3)]
    [InlineData(16_384u, 4)]
    [InlineData(2_097_152u, 5)]
    [InlineData(268_435_456u, 6)]
    [InlineData(uint.MaxValue, 6)]
    public void A_message_has_two_to_six_bytes_before_its_payload(uint slot, int expected)
    {
        Span<byte> header = stackalloc byte[GroupWire.MessageHeaderBytesMax];

        var length = GroupWire.WriteMessageHeader(header, slot);

        Assert.Equal(expected, length);
        var reader = new GroupReader(header[1..length]);
        Assert.Equal(slot, reader.Varint());
        Assert.True(reader.IsAtEnd && !reader.HasFailed);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0x80, 0x00 })]
    [InlineData(new byte[] { 0xFF, 0x80, 0x00 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x10 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 })]
    public void A_number_that_is_cut_too_long_or_not_in_its_shortest_form_is_refused(byte[] bytes)
    {
        var reader = new GroupReader(bytes);
        reader.Varint();

        Assert.True(reader.HasFailed);
        Assert.True(reader.IsAtEnd);
    }

    [Fact]
    public void A_join_list_of_many_groups_is_split_and_read_again()
    {
        var effects = new Parts();
        var table = new GroupTable(new NodeId(1));
        var node = table.AddNode(new ViewMember(new NodeId(1), 7));
        var expected = new List<(string, JoinListEntry)>();
        for (var group = 0; group < 300; group++)
        {
            for (var session = 1u; session <= 40; session++)
            {
                var entry = new JoinListEntry((uint)expected.Count + 1, session * 1000, session);
                var name = $"{group:D4} {new string('x', 60)}";
                Assert.Null(table.StageJoin(node, entry.Slot, entry.Session, entry.Pid, System.Text.Encoding.UTF8.GetBytes(name)));
                expected.Add((name, entry));
            }
        }

        table.Emit(GroupReason.Join, default, effects);
        new JoinListWriter(new RingId(new NodeId(1), 5, 7), GroupWire.ControlBytesMax, effects).Write(table.Groups(), node);

        var list = new JoinList();
        var read = new List<(string, JoinListEntry)>();
        Assert.All(effects.Submitted, part => Assert.InRange(part.Length, 1, GroupWire.ControlBytesMax));
        Assert.True(effects.Submitted.Count >= 3);
        foreach (var part in effects.Submitted)
        {
            var header = new GroupReader(part.AsSpan(1));
            Assert.Equal(part == effects.Submitted[^1], header.Byte() == GroupWire.LastPart);
            Assert.Equal((uint)effects.Submitted.IndexOf(part), header.Varint());
            Assert.Equal(new RingId(new NodeId(1), 5, 7), header.Ring());
            Assert.True(list.TryAdd(header.Rest));
            var reader = new JoinListReader(header.Rest);
            while (reader.TryNext(out var entry)) read.Add((System.Text.Encoding.UTF8.GetString(reader.Name), entry));
            Assert.False(reader.HasFailed);
        }

        Assert.Equal(expected, read);
    }

    [Fact]
    public void A_join_list_that_repeats_a_session_or_goes_backwards_is_refused()
    {
        Assert.True(new JoinList().TryAdd([1, (byte)'a', 2, 1, 1, 0, 2, 2, 0, 1, (byte)'b', 1, 3, 1, 0]));
        Assert.False(new JoinList().TryAdd([1, (byte)'a', 2, 1, 1, 0, 2, 1, 0]));
        Assert.False(new JoinList().TryAdd([1, (byte)'b', 1, 1, 1, 0, 1, (byte)'a', 1, 2, 1, 0]));
        Assert.False(new JoinList().TryAdd([1, (byte)'a', 0]));
        Assert.False(new JoinList().TryAdd([1, (byte)'a', 1, 0, 1, 0]));
        Assert.False(new JoinList().TryAdd([0, 1, 1, 1, 0]));
        Assert.False(new JoinList().TryAdd([1, (byte)'a', 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 1, 0]));
    }

    private sealed class Parts : ICpgEffects
    {
        public List<byte[]> Submitted { get; } = [];

        public SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level) => default;

        public void SubmitControl(ReadOnlySpan<byte> payload) => Submitted.Add(payload.ToArray());

        public void Changed(GroupChange change)
        {
        }

        public void Message(in GroupDelivery message, ReadOnlySpan<byte> payload)
        {
        }

        public void Dropped(ulong counter)
        {
        }
    }
}
