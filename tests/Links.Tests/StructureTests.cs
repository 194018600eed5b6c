namespace Membership.Links.Tests;

/// <summary>The small structures alone: pieces, batches, loss.</summary>
public sealed class StructureTests
{
    [Fact]
    public void Pieces_in_any_order_and_twice_make_the_frame_once()
    {
        var reassembly = new Reassembly();
        var frame = SendTests.Bytes(1050);
        var order = Enumerable.Range(0, 11).Concat(Enumerable.Range(0, 11)).ToArray();
        new Random(3).Shuffle(order);

        var complete = 0;
        foreach (var index in order)
        {
            if (Add(reassembly, 1, index, frame, out var whole) != Reassembly.Outcome.Complete) continue;
            complete++;
            Assert.Equal(frame, whole);
        }

        Assert.Equal(1, complete);
    }

    [Fact]
    public void A_frame_that_was_given_up_for_newer_ones_never_completes()
    {
        var reassembly = new Reassembly();
        var frame = SendTests.Bytes(200);
        Add(reassembly, 1, 0, frame, out _);
        for (uint number = 2; number <= 5; number++) Add(reassembly, number, 0, frame, out _);

        Assert.Equal(Reassembly.Outcome.Refused, Add(reassembly, 1, 1, frame, out _));
        Assert.Equal(Reassembly.Outcome.Complete, Add(reassembly, 5, 1, frame, out _));
    }

    [Fact]
    public void Pieces_that_disagree_about_their_frame_are_refused()
    {
        var reassembly = new Reassembly();
        reassembly.Add(new FragmentHeader(1, 0, 2, 200, 100), new byte[100], out _);

        Assert.Equal(Reassembly.Outcome.Refused, reassembly.Add(new FragmentHeader(1, 1, 2, 199, 100), new byte[99], out _));
    }

    [Fact]
    public void Frame_numbers_wrap_around()
    {
        var reassembly = new Reassembly();
        var frame = SendTests.Bytes(200);
        foreach (var number in new[] { uint.MaxValue - 1, uint.MaxValue, 0u, 1u, 2u })
        {
            Add(reassembly, number, 0, frame, out _);
            Assert.Equal(Reassembly.Outcome.Complete, Add(reassembly, number, 1, frame, out _));
        }
    }

    [Fact]
    public void A_new_boot_begins_its_frames_anew()
    {
        var reassembly = new Reassembly();
        var frame = SendTests.Bytes(200);
        Add(reassembly, 1000, 0, frame, out _);

        reassembly.Reset();

        Add(reassembly, 1, 0, frame, out _);
        Assert.Equal(Reassembly.Outcome.Complete, Add(reassembly, 1, 1, frame, out _));
    }

    [Fact]
    public void Loss_is_the_share_of_missing_reports_over_a_minute()
    {
        var meter = new LossMeter();
        var now = new Instant(5_000_000_000);
        Assert.Null(meter.Value);
        for (uint sequence = 1; sequence <= 400; sequence++)
        {
            now += TimeSpan.FromMilliseconds(100);
            if (sequence % 4 != 0) meter.Record(now, sequence);
        }
        Assert.InRange(meter.Value ?? 0, 0.23, 0.27);

        for (uint sequence = 401; sequence <= 1100; sequence++)
        {
            now += TimeSpan.FromMilliseconds(100);
            meter.Record(now, sequence);
        }
        Assert.Equal(0, meter.Value);
    }

    [Fact]
    public void Reports_that_overtake_each_other_are_no_loss()
    {
        var meter = new LossMeter();
        var now = new Instant(5_000_000_000);
        foreach (uint sequence in new uint[] { 1, 3, 2, 4, 6, 5, uint.MaxValue, 0, 1 }) meter.Record(now, sequence);

        Assert.Equal(0, meter.Value);
    }

    private static Reassembly.Outcome Add(Reassembly reassembly, uint number, int index, byte[] frame, out byte[] whole)
    {
        var header = new FragmentHeader(number, (byte)index, (byte)((frame.Length + 99) / 100), frame.Length, 100);
        var outcome = reassembly.Add(header, frame.AsSpan(header.Offset, Math.Min(100, frame.Length - header.Offset)), out var bytes);
        whole = bytes.ToArray();
        return outcome;
    }
}
