using Xunit;

namespace Membership.Client.Tests;

public sealed class OutstandingGateTests
{
    [Fact]
    public void Messages_enter_up_to_either_bound()
    {
        var gate = new OutstandingGate(maxMessages: 3, maxBytes: 100);

        Assert.True(gate.TryEnter(60));
        Assert.False(gate.TryEnter(41));
        Assert.True(gate.TryEnter(40));
        Assert.True(gate.TryEnter(0));
        Assert.False(gate.TryEnter(0));
        gate.Exit(60);
        Assert.True(gate.TryEnter(60));
    }

    [Fact]
    public async Task Message_larger_than_all_the_room_enters_alone_and_nobody_overtakes_it()
    {
        var gate = new OutstandingGate(maxMessages: 10, maxBytes: 100);
        Assert.True(gate.TryEnter(1));

        var large = gate.EnterAsync(1000, CancellationToken.None).AsTask();
        Assert.False(large.IsCompleted);
        Assert.False(gate.TryEnter(1));
        gate.Exit(1);

        Assert.True(await large);
        Assert.False(gate.TryEnter(1));
        gate.Exit(1000);
        Assert.True(gate.TryEnter(1));
    }

    [Fact]
    public async Task Waiting_ends_by_cancel_without_blocking_those_behind()
    {
        var gate = new OutstandingGate(maxMessages: 10, maxBytes: 100);
        Assert.True(gate.TryEnter(90));
        using var cancel = new CancellationTokenSource();

        var first = gate.EnterAsync(50, cancel.Token).AsTask();
        var second = gate.EnterAsync(10, CancellationToken.None).AsTask();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.True(await second);
    }

    [Fact]
    public async Task Closing_refuses_those_who_wait_and_those_who_come()
    {
        var gate = new OutstandingGate(maxMessages: 1, maxBytes: 100);
        Assert.True(gate.TryEnter(1));
        var waiting = gate.EnterAsync(1, CancellationToken.None).AsTask();

        gate.Close();

        Assert.False(await waiting);
        Assert.False(gate.TryEnter(1));
        Assert.False(await gate.EnterAsync(1, CancellationToken.None));
    }
}
