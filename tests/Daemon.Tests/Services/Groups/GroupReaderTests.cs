using Membership.Cpg;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>Readers of the group log: what concerns them, all of it, in order, and nothing else.</summary>
public sealed class GroupReaderTests
{
    private static readonly RingId Ring = new(new NodeId(1), 4, 7);

    private readonly GroupLog _log = new(256 * 1024);
    private readonly GroupHub _hub;
    private ulong _counter;

    public GroupReaderTests() => _hub = new GroupHub(new NodeId(1), _log);

    [Fact]
    public void A_reader_finds_the_messages_of_its_groups_in_one_order_and_skips_the_others()
    {
        var reader = new GroupReader(_log, new BatchSignal());
        _hub.Watch(reader, "a");
        _hub.Watch(reader, "c");
        _hub.Watch(new GroupReader(_log, new BatchSignal()), "b");

        foreach (var group in new[] { "b", "a", "b", "c", "a", "nobody" }) Deliver(group);
        Assert.Empty(Read(reader));   // not published yet
        _hub.BatchEnd();

        Assert.Equal([2UL, 4UL, 5UL], Read(reader));
        Assert.Empty(Read(reader));
    }

    [Fact]
    public void What_waits_for_a_reader_that_sleeps_is_unread()
    {
        var reader = new GroupReader(_log, new BatchSignal());
        _hub.Watch(reader, "g");
        Assert.Equal(0, reader.UnreadBytes);

        Deliver("g");
        _hub.BatchEnd();

        Assert.Equal(_log.Published, reader.UnreadBytes);
        Assert.Equal([1UL], Read(reader));
        Assert.Equal(0, reader.UnreadBytes);
    }

    [Fact]
    public void A_reader_that_sleeps_through_more_than_the_log_holds_of_other_groups_is_not_too_slow()
    {
        var reader = new GroupReader(_log, new BatchSignal());
        _hub.Watch(reader, "quiet");
        _hub.Watch(new GroupReader(_log, new BatchSignal()), "busy");
        Deliver("quiet");
        _hub.BatchEnd();
        Assert.Equal([1UL], Read(reader));

        for (var i = 0; i < 20_000; i++)
        {
            Deliver("busy");
            if (i % 100 == 0) _hub.BatchEnd();
        }
        Deliver("quiet");
        _hub.BatchEnd();

        Assert.Equal([20_002UL], Read(reader));
    }

    [Fact]
    public void A_reader_that_leaves_its_own_events_unread_for_a_whole_log_is_told_so()
    {
        var reader = new GroupReader(_log, new BatchSignal());
        _hub.Watch(reader, "g");
        for (var i = 0; i < 20_000; i++) Deliver("g");
        _hub.BatchEnd();

        reader.Refresh();

        Assert.Equal(ReadResult.Overwritten, reader.Next(out _, out _, out _));
    }

    [Fact]
    public async Task Nothing_is_lost_or_repeated_while_the_writer_runs_whatever_the_readers_pace()
    {
        const int Messages = 100_000;
        string[][] interests = [["a"], ["b", "d"], ["a", "b", "c", "d"]];
        var read = new long[interests.Length];
        var readers = interests.Select(groups =>
        {
            var reader = new GroupReader(_log, new BatchSignal());
            foreach (var group in groups) _hub.Watch(reader, group);
            return reader;
        }).ToArray();
        var expected = interests.Select(groups => Enumerable.Range(0, Messages).Count(i => groups.Contains(GroupOf(i)))).ToArray();

        var reading = readers.Select((reader, at) => Task.Run(() => ReadAllAsync(reader, interests[at], expected[at], count => Volatile.Write(ref read[at], count)))).ToArray();
        var seen = new int[interests.Length];
        for (var i = 0; i < Messages; i++)
        {
            var group = GroupOf(i);
            Deliver(group);
            for (var at = 0; at < interests.Length; at++) seen[at] += interests[at].Contains(group) ? 1 : 0;
            if (i % 7 == 0) _hub.BatchEnd();
            // Never further ahead than half of the log: being too slow is another test's affair.
            SpinWait.SpinUntil(() => Enumerable.Range(0, interests.Length).All(at => seen[at] - Volatile.Read(ref read[at]) < 500) || reading.Any(task => task.IsFaulted));
        }
        _hub.BatchEnd();

        await Task.WhenAll(reading).WaitAsync(TestDaemons.Limit);
    }

    private static string GroupOf(int message) => (message * 7919 % 11) switch { 0 => "a", 1 or 2 => "b", 3 => "c", _ => "d" };

    private static async Task ReadAllAsync(GroupReader reader, string[] groups, int count, Action<long> progress)
    {
        var next = -1;
        for (var got = 0; got < count;)
        {
            var armed = reader.Signal.Arm();
            reader.Refresh();
            var found = reader.Next(out var record, out _, out var subscription);
            if (found == ReadResult.Nothing)
            {
                await armed.WaitAsync(TestDaemons.Limit);
                continue;
            }
            Assert.Equal(ReadResult.Event, found);
            do next++;
            while (!groups.Contains(GroupOf(next)));
            Assert.Equal(((ulong)next + 1, GroupOf(next)), (record.Counter, subscription.Name));
            progress(++got);
        }
    }

    private void Deliver(string group)
    {
        var order = new Delivery(Ring, new Seq(++_counter), 0, new NodeId(2), 9, _counter, DeliveryLevel.Agreed, 2);
        _hub.Message(new GroupDelivery(group, new GroupMember(new NodeId(2), 5, 6), 1, ViewId.Regular(Ring), order), "0123456789"u8, 1);
    }

    private static List<ulong> Read(GroupReader reader)
    {
        List<ulong> counters = [];
        reader.Refresh();
        while (reader.Next(out var record, out _, out _) == ReadResult.Event) counters.Add(record.Counter);
        return counters;
    }
}
