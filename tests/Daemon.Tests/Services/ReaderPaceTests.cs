using Membership.Daemon.Services;
using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Tests.Services;

/// <summary>The writer of a log stands back for readers that are busy reading, and for nobody else.</summary>
public sealed class ReaderPaceTests
{
    private const int RingBytes = 1024 * 1024;
    private const int LargeBytes = 128 * 1024;

    private static readonly RingId Ring = new(new NodeId(1), 0x2a, 0x9f3c51d0_00000000);

    private readonly DeliveryLog _log = new(RingBytes);
    private Instant _now = new(1_000_000_000);
    private ulong _counter;

    [Fact]
    public void Nobody_is_waited_for_while_readers_are_hardly_behind()
    {
        using var paced = _log.Pace.Add(_log.ReadFromNow());

        for (var written = 1200; written < RingBytes * ReaderPace.HoldFrom; written += 1200) Assert.Equal(0.0, HoldAfter(1000));
    }

    [Fact]
    public void The_more_is_unread_the_longer_the_writer_stands_back_up_to_a_limit()
    {
        using var paced = _log.Pace.Add(_log.ReadFromNow());
        List<double> holds = [];
        for (var written = 0; written < RingBytes * 15 / 10; written += 1024) holds.Add(HoldAfter(1000));

        Assert.Equal(0.0, holds[0]);
        Assert.Equal(holds.Order(), holds);
        Assert.Equal(1.0, holds[^1]);
        Assert.Contains(holds, hold => hold is > 0 and < 0.1);
    }

    [Fact]
    public void A_reader_that_does_not_move_is_waited_for_no_longer_than_patience()
    {
        using var paced = _log.Pace.Add(_log.ReadFromNow());
        HoldAfter(16_000, times: 12);
        Assert.NotEqual(0.0, HoldAfter(1000));

        _now += ReaderPace.Patience - TimeSpan.FromMilliseconds(1);
        Assert.NotEqual(0.0, HoldAfter(1000));
        _now += TimeSpan.FromMilliseconds(2);
        Assert.Equal(0.0, HoldAfter(8000));
    }

    [Fact]
    public void A_slow_reader_is_waited_for_as_long_as_it_moves_by_steps()
    {
        var reader = _log.ReadFromNow();
        using var paced = _log.Pace.Add(reader);
        HoldAfter(8000, times: 18);
        for (var round = 0; round < 40; round++)
        {
            _now += ReaderPace.Patience / 2;
            for (var read = 0; read < 4; read++) Assert.Equal(ReadResult.Event, reader.Next(out _, out _));

            Assert.NotEqual(0.0, HoldAfter(8000, times: 4));
        }
    }

    [Fact]
    public void Payloads_kept_beside_the_ring_fill_the_log_too()
    {
        var reader = _log.ReadFromNow();
        using var paced = _log.Pace.Add(reader);
        var few = (int)(DeliveryLog.LargeBytesMax * ReaderPace.HoldFrom / LargeBytes);
        for (var large = 0; large < few - 1; large++) Assert.Equal(0.0, HoldAfter(LargeBytes));
        Assert.NotEqual(0.0, HoldAfter(LargeBytes, times: 3));

        while (reader.Next(out _, out _) == ReadResult.Event)
        {
        }

        Assert.Equal(0.0, HoldAfter(1024));
    }

    [Fact]
    public void A_reader_that_is_gone_is_not_waited_for()
    {
        var paced = _log.Pace.Add(_log.ReadFromNow());
        using var other = _log.Pace.Add(_log.ReadFromNow());
        HoldAfter(16_000, times: 12);
        Assert.NotEqual(0.0, HoldAfter(1000));
        other.Dispose();
        Assert.NotEqual(0.0, HoldAfter(1000));

        paced.Dispose();

        Assert.Equal(0.0, HoldAfter(1000));
    }

    private double HoldAfter(int payloadBytes, int times = 1)
    {
        var payload = new byte[payloadBytes];
        for (var i = 0; i < times; i++)
            _log.Append(new Delivery(Ring, new Seq(++_counter), 0, new NodeId(1), 7, _counter, DeliveryLevel.Agreed, 0), payload, 0);
        _log.Publish();
        return _log.Pace.Pressure(_now);
    }
}
