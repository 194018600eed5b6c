using Membership.Cpg;
using Membership.Daemon.Ring;
using Membership.Totem;

namespace Membership.Daemon.Tests.Ring;

public sealed class MailboxTests
{
    [Fact]
    public void No_post_is_slept_through_however_the_threads_interleave()
    {
        const int Posts = 20_000;
        var mailbox = new Mailbox(64);
        var poster = new Thread(() =>
        {
            for (var i = 0; i < Posts; i++)
            {
                while (!mailbox.Submits.Writer.TryWrite(default)) Thread.Yield();
                mailbox.WakeForSubmit();
                if (i % 64 == 0) Thread.Yield();
            }
        });
        using var poll = new PollSet(1);
        poster.Start();

        var taken = 0;
        while (taken < Posts)
        {
            // Waits without a limit: a missed wake-up hangs here and the run's time limit tells.
            Wait(mailbox, poll, wantsSubmits: true, null);
            while (mailbox.Submits.Reader.TryRead(out _)) taken++;
        }

        poster.Join();
        Assert.Equal(Posts, taken);
    }

    [Fact]
    public void While_the_node_takes_no_messages_they_wake_nobody_but_commands_do()
    {
        var mailbox = new Mailbox(64);
        using var poll = new PollSet(1);
        Assert.True(mailbox.TryBeginWait(wantsSubmits: false));

        mailbox.Submits.Writer.TryWrite(default);
        mailbox.WakeForSubmit();
        Assert.False(IsWoken(mailbox, poll));
        mailbox.Leave();

        Assert.True(IsWoken(mailbox, poll));
    }

    [Fact]
    public void A_busy_loop_is_not_woken_and_finds_what_was_left_before_it_waits()
    {
        var mailbox = new Mailbox(64);
        using var poll = new PollSet(1);

        mailbox.Submits.Writer.TryWrite(default);
        mailbox.WakeForSubmit();

        Assert.False(IsWoken(mailbox, poll));
        Assert.False(mailbox.TryBeginWait(wantsSubmits: true));
    }

    [Theory]
    [InlineData("leave")]
    [InlineData("stop")]
    [InlineData("reserved")]
    [InlineData("failed")]
    public void What_is_urgent_and_came_between_the_turn_and_the_wait_prevents_the_wait(string what)
    {
        var mailbox = new Mailbox(64);
        mailbox.BeginUrgent();

        switch (what)
        {
            case "leave": mailbox.Leave(); break;
            case "stop": mailbox.Stop(); break;
            case "reserved": mailbox.Reserved(7); break;
            default: mailbox.ReservationFailed("full"); break;
        }

        Assert.False(mailbox.TryBeginWait(wantsSubmits: true));
        mailbox.BeginUrgent();
        Assert.True(mailbox.TryBeginWait(wantsSubmits: true));
    }

    [Fact]
    public void Closing_answers_what_waits_and_refuses_what_comes()
    {
        var mailbox = new Mailbox(64);
        var sink = new LastAnswer();
        mailbox.Submits.Writer.TryWrite(new Submission(default, DeliveryLevel.Agreed, 0, sink, 5));

        mailbox.Close(new RingStoppedException("over"));

        Assert.Equal((5UL, GroupStatus.NotRunning), sink.Answer);
        Assert.False(mailbox.Submits.Writer.TryWrite(default));
    }

    [Fact]
    public async Task Messages_of_more_bytes_than_the_limit_wait_until_some_are_taken_and_then_come_in()
    {
        const int Size = 1024 * 1024;
        var mailbox = new Mailbox(4096);
        var large = new Submission(new byte[Size], DeliveryLevel.Agreed, 0, new LastAnswer(), 0);
        for (var bytes = 0L; bytes < Mailbox.SubmitBytesMax; bytes += Size) Assert.True(mailbox.Submits.Writer.TryWrite(large));

        Assert.False(mailbox.Submits.Writer.TryWrite(large));
        Assert.True(mailbox.Submits.Writer.TryWrite(default));   // it takes none
        var waiting = mailbox.Submits.Writer.WriteAsync(large).AsTask();
        using var cancelled = new CancellationTokenSource();
        var givenUp = mailbox.Submits.Writer.WriteAsync(large, cancelled.Token).AsTask();
        Assert.False(waiting.IsCompleted);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);
        Assert.Equal(Mailbox.SubmitBytesMax, mailbox.SubmitBytes);

        Assert.True(mailbox.Submits.Reader.TryRead(out _));
        await waiting.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(Mailbox.SubmitBytesMax, mailbox.SubmitBytes);
        while (mailbox.Submits.Reader.TryRead(out _)) continue;
        Assert.Equal(0, mailbox.SubmitBytes);
    }

    [Fact]
    public async Task Closing_ends_the_wait_for_bytes()
    {
        var mailbox = new Mailbox(4096);
        var large = new Submission(new byte[Mailbox.SubmitBytesMax], DeliveryLevel.Agreed, 0, new LastAnswer(), 0);
        Assert.True(mailbox.Submits.Writer.TryWrite(large));
        var waiting = mailbox.Submits.Writer.WriteAsync(large).AsTask();

        mailbox.Close(new RingStoppedException("over"));

        await Assert.ThrowsAsync<System.Threading.Channels.ChannelClosedException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, mailbox.SubmitBytes);
    }

    [Fact]
    public void A_wait_ends_within_a_millisecond_of_its_time()
    {
        var clock = new MonotonicClock();
        using var poll = new PollSet(1);
        Libc.UseExactTimers();
        var lateness = Enumerable.Range(0, 50).Select(_ =>
        {
            var start = clock.Now;
            poll.Wait(2_300_000);
            return (clock.Now - start).TotalMilliseconds - 2.3;
        }).Order().ToArray();

        Assert.True(lateness[0] >= 0, $"{-lateness[0]} ms early");
        Assert.InRange(lateness[0], 0, 1); // the best of fifty: a busy machine may hold up the others, a rounded timeout would hold up all
    }

    private static void Wait(Mailbox mailbox, PollSet poll, bool wantsSubmits, long? nanoseconds)
    {
        poll.Clear();
        poll.Add(mailbox.Descriptor, Libc.PollIn);
        if (!mailbox.TryBeginWait(wantsSubmits)) return;
        poll.Wait(nanoseconds);
        mailbox.EndWait();
        if (poll.Returned(0) != 0) mailbox.ClearWake();
    }

    private static bool IsWoken(Mailbox mailbox, PollSet poll)
    {
        poll.Clear();
        poll.Add(mailbox.Descriptor, Libc.PollIn);
        poll.Wait(0);
        return poll.Returned(0) != 0;
    }

    private sealed class LastAnswer : ISubmitSink
    {
        public (ulong, GroupStatus) Answer { get; private set; }

        public void Submitted(ulong tag, SendResult result) => Answer = (tag, result.Status);
    }
}
