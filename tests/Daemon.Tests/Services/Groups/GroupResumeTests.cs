using Membership.Cpg;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Watches that begin after a position: all of their group that followed it, nothing else, or nothing at all.</summary>
public sealed class GroupResumeTests
{
    private const int LogBytes = 256 * 1024;
    private const uint Here = 7;   // a session of this node

    private static readonly NodeId Self = new(1);
    private static readonly GroupMember Remote = new(new NodeId(2), 5, 6);

    private readonly GroupLog _log = new(LogBytes);
    private readonly GroupHub _hub;
    private RingId _ring = new(new NodeId(1), 4, 7);
    private ulong _counter;

    public GroupResumeTests() => _hub = new GroupHub(Self, _log);

    [Fact]
    public void After_any_position_of_two_interleaved_groups_a_watch_gets_exactly_what_followed_in_its_own()
    {
        const int Begun = 2;   // a position for the beginning of each recording
        _hub.Watch(NewReader(), "a");
        _hub.Watch(NewReader(), "b");
        for (var i = 0; i < 300; i++) Deliver(i % 3 == 0 ? "b" : "a", "x"u8);
        _hub.BatchEnd();

        for (long after = Begun; after <= _log.LastPosition; after++)
        {
            Assert.Equal(Positions(i => i % 3 != 0).Where(position => position > after), Read(Resume("a", after)));
            Assert.Equal(Positions(i => i % 3 == 0).Where(position => position > after), Read(Resume("b", after)));
        }

        static IEnumerable<long> Positions(Func<int, bool> isOfGroup) => Enumerable.Range(0, 300).Where(isOfGroup).Select(i => Begun + i + 1L);

    }

    [Fact]
    public void A_watch_that_resumes_goes_on_live_also_with_what_was_not_published_when_it_began()
    {
        _hub.Watch(NewReader(), "g");
        Deliver("g", "1"u8);
        _hub.BatchEnd();
        Deliver("g", "2"u8);   // of the batch under way

        var reader = Resume("g", 2);
        Assert.Empty(Read(reader));
        _hub.BatchEnd();
        Assert.Equal([3L], Read(reader));
        Deliver("other", "3"u8);
        Deliver("g", "4"u8);
        _hub.BatchEnd();

        Assert.Equal([4L], Read(reader));   // what nobody reads has no position
        Assert.Equal(4, reader.Position);
    }

    [Fact]
    public void What_nobody_here_read_cannot_be_resumed_over_although_it_took_no_positions()
    {
        var first = _hub.Watch(NewReader(), "g");
        Deliver("g", "1"u8);
        _hub.BatchEnd();
        var last = _log.LastPosition;
        _hub.Unwatch(first);
        Assert.Null(_hub.RecordedAfter("g"));
        Assert.Null(_hub.WatchAfter(NewReader(), "g", last));
        Deliver("g", "lost"u8);
        _hub.BatchEnd();

        _hub.Watch(NewReader(), "g");
        Deliver("g", "2"u8);
        _hub.BatchEnd();

        Assert.Null(_hub.WatchAfter(NewReader(), "g", last));
        Assert.Equal(last + 1, _hub.RecordedAfter("g"));
        Assert.Equal([last + 2], Read(Resume("g", last + 1)));
    }

    [Fact]
    public void A_gap_between_two_positions_of_the_log_is_seen_also_where_other_groups_filled_it()
    {
        _hub.Watch(NewReader(), "busy");
        var first = _hub.Watch(NewReader(), "g");
        Deliver("g", "1"u8);
        _hub.BatchEnd();
        var last = _log.LastPosition;
        _hub.Unwatch(first);
        Deliver("busy", "2"u8);
        Deliver("g", "lost"u8);
        Deliver("busy", "3"u8);
        _hub.Watch(NewReader(), "g");
        Deliver("g", "4"u8);
        _hub.BatchEnd();

        for (var after = last; after < last + 3; after++) Assert.Null(_hub.WatchAfter(NewReader(), "g", after));
        Assert.Equal(last + 3, _hub.RecordedAfter("g"));
        Assert.Equal([last + 4], Read(Resume("g", last + 3)));
        Assert.Equal([last + 1, last + 2], Read(Resume("busy", last)));
    }

    [Fact]
    public void A_last_member_that_leaves_ends_the_recording_at_once_not_with_its_batch()
    {
        _hub.Expect(Here, NewReader(), "g", 1, withoutOwn: false);
        Change("g", joined: [Own(Here)], left: [], GroupReason.Join);
        Deliver("g", "1"u8);
        _hub.BatchEnd();
        Assert.Equal(_log.LastPosition - 2, _hub.RecordedAfter("g"));   // before its own join

        Change("g", joined: [], left: [Own(Here)], GroupReason.Leave);
        Assert.Null(_hub.RecordedAfter("g"));   // the node reports no message from here on
        var left = _log.NextPosition - 1;
        _hub.Expect(Here + 1, NewReader(), "g", 1, withoutOwn: false);
        Change("g", joined: [Own(Here + 1)], left: [], GroupReason.Join);
        _hub.BatchEnd();

        Assert.Null(_hub.WatchAfter(NewReader(), "g", left));
        Assert.Equal(left + 1, _hub.RecordedAfter("g"));
        Assert.Equal([left + 2], Read(Resume("g", left + 1)));
    }

    [Fact]
    public void Positions_that_no_event_has_hide_none_that_is_kept()
    {
        _hub.Watch(NewReader(), "g");
        Deliver("g", "1"u8);
        for (var i = 0; i < 1000; i++)
        {
            _hub.Unwatch(_hub.Watch(NewReader(), "another"));
            if (i is < 300 or > 600 && i % 7 == 0) Deliver("g", "x"u8);
        }
        _hub.BatchEnd();

        var all = Read(Resume("g", 1));
        Assert.Equal(101, all.Count);
        for (var after = all[0]; after < all[^1]; after++) Assert.Equal(all.Where(position => position > after), Read(Resume("g", after)));
    }

    [Fact]
    public void A_kept_group_is_recorded_on_without_a_reader_until_it_is_released()
    {
        var first = _hub.Watch(NewReader(), "g");
        Deliver("g", "1"u8);
        Assert.True(_hub.Keep("g"));
        _hub.Unwatch(first);
        Deliver("g", "2"u8);
        _hub.BatchEnd();

        Assert.Equal([3L], Read(Resume("g", 2)));
        _hub.Release("g");
        Assert.Equal(1, _hub.RecordedAfter("g"));   // for it has a reader again
        Assert.False(_hub.Keep("nobody reads this"));
        Assert.Null(_hub.RecordedAfter("nobody reads this"));
    }

    [Fact]
    public void A_session_that_is_gone_reads_no_more_and_with_the_last_one_the_recording_ends()
    {
        _hub.Expect(Here, NewReader(), "g", 1, withoutOwn: false);
        _hub.Expect(Here + 1, NewReader(), "g", 1, withoutOwn: false);
        Change("g", joined: [Own(Here), Own(Here + 1)], left: [], GroupReason.NodeUp);
        Assert.Equal(["g"], _hub.GroupsOf(Here));

        _hub.EndSession(Here);
        Assert.Equal(1, _hub.RecordedAfter("g"));
        _hub.EndSession(Here + 1);

        Assert.Null(_hub.RecordedAfter("g"));
        Assert.Empty(_hub.GroupsOf(Here));
    }

    [Fact]
    public void What_is_overwritten_cannot_be_resumed_over_and_the_oldest_that_can_is_told_exactly()
    {
        _hub.Watch(NewReader(), "g");
        for (var i = 0; i < 10_000; i++) Deliver("g", "0123456789"u8);
        _hub.BatchEnd();

        var oldest = _log.OldestResumable();
        Assert.InRange(oldest, 10_001 - LogBytes / 72, 10_000);
        Assert.Null(_hub.WatchAfter(NewReader(), "g", oldest - 1));
        Assert.Equal(Enumerable.Range((int)oldest + 1, 10_001 - (int)oldest).Select(position => (long)position), Read(Resume("g", oldest)));
    }

    [Fact]
    public void A_group_in_which_nothing_happened_since_can_be_resumed_whatever_else_overwrote_the_log()
    {
        _hub.Watch(NewReader(), "quiet");
        _hub.Watch(NewReader(), "busy");
        Deliver("quiet", "1"u8);
        for (var i = 0; i < 10_000; i++) Deliver("busy", "0123456789"u8);
        _hub.BatchEnd();

        var reader = Resume("quiet", 3);
        Assert.Empty(Read(reader));
        Deliver("quiet", "2"u8);
        _hub.BatchEnd();

        Assert.Equal([10_004L], Read(reader));
        Assert.Null(_hub.WatchAfter(NewReader(), "busy", 3));
    }

    [Fact]
    public void A_payload_kept_beside_the_ring_is_read_again_or_its_position_is_refused_once_it_went()
    {
        const int Large = 16 * 1024 * 1024;
        _hub.Watch(NewReader(), "g");
        for (var i = 0; i < 3; i++) Deliver("g", new byte[Large]);
        _hub.BatchEnd();

        var again = Resume("g", 2);
        again.Refresh();
        Assert.Equal(ReadResult.Event, again.Next(out var record, out var offset, out _));
        Assert.Equal((3L, Large), (record.Prefix.Position, again.Large(record, offset)?.Length));
        for (var i = 0; i < 3; i++) Deliver("g", new byte[Large]);
        _hub.BatchEnd();

        Assert.Null(_hub.WatchAfter(NewReader(), "g", 2));
        again.Overtaken(offset);
        Assert.Equal((2L, true), (again.Position, again.IsOvertaken));   // what could not be given is not counted as given
    }

    [Fact]
    public void Rings_that_are_forgotten_cannot_be_resumed_over()
    {
        _hub.Watch(NewReader(), "g");
        for (var i = 1; i <= GroupLog.ErasMax + 100; i++)
        {
            _ring = _ring with { Sequence = 4 + (ulong)i };
            Deliver("g", "x"u8);
        }
        _hub.BatchEnd();

        var oldest = _log.OldestResumable();
        Assert.Equal(101, oldest);   // one for the beginning
        Assert.Null(_hub.WatchAfter(NewReader(), "g", oldest - 1));
        var reader = Resume("g", oldest);
        reader.Refresh();
        Assert.Equal(ReadResult.Event, reader.Next(out var record, out _, out _));
        Assert.NotNull(_log.EraOf(record.Era));
    }

    [Fact]
    public void Recording_messages_allocates_nothing()
    {
        var quiet = NewReader();
        _hub.Watch(quiet, "g");
        _hub.Keep("g");
        for (var i = 0; i < 10_000; i++) Deliver("g", "0123456789"u8);
        _hub.BatchEnd();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            Deliver("g", "0123456789"u8);
            if (i % 32 == 0) _hub.BatchEnd();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static GroupMember Own(uint session) => new(Self, 1, session);

    private GroupReader NewReader() => new(_log, new BatchSignal());

    private GroupReader Resume(string group, long after)
    {
        var reader = NewReader();
        Assert.NotNull(_hub.WatchAfter(reader, group, after));
        Assert.Equal(after, reader.Position);
        return reader;
    }

    private void Deliver(string group, ReadOnlySpan<byte> payload)
    {
        var order = new Delivery(_ring, new Seq(++_counter), 0, Remote.Node, 9, _counter, DeliveryLevel.Agreed, 2);
        _hub.Message(new GroupDelivery(group, Remote, 1, ViewId.Regular(_ring), order), payload, 1);
    }

    private void Change(string group, GroupMember[] joined, GroupMember[] left, GroupReason reason) =>
        _hub.Changed(new GroupChange(group, ViewId.Regular(_ring), [], joined, left, reason, 1), 1);

    private static List<long> Read(GroupReader reader)
    {
        List<long> positions = [];
        reader.Refresh();
        while (reader.Next(out var record, out _, out _) == ReadResult.Event) positions.Add(record.Prefix.Position);
        Assert.False(reader.IsOvertaken);
        return positions;
    }
}
