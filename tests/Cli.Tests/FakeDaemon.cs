using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>A daemon in memory: answers with what the test put in.</summary>
internal sealed partial class FakeDaemon : IDaemon
{
    public string Socket { get; set; } = "/run/membership/api.sock";

    public int? ProcessId { get; set; }

    /// <summary>The answer to GetStatus; null never answers.</summary>
    public GetStatusResponse? Status { get; set; }

    /// <summary>What WatchViews yields; afterwards it stays open unless <see cref="StreamsEnd"/>.</summary>
    public List<View> Views { get; } = [];

    /// <summary>What Subscribe yields; afterwards it stays open unless <see cref="StreamsEnd"/>.</summary>
    public List<SubscribeResponse> Stream { get; } = [];

    /// <summary>Streams end after their last item, as on a shutdown.</summary>
    public bool StreamsEnd { get; set; }

    /// <summary>Called when everything of a stream was taken and it stays open.</summary>
    public Action OnStreamIdle { get; set; } = static () => { };

    /// <summary>False: messages are taken and never answered.</summary>
    public bool GivesReceipts { get; set; } = true;

    /// <summary>What the next call fails with.</summary>
    public CliException? Failure { get; set; }

    /// <summary>Makes the receipt of a message; the default orders it on ring 1.2a.9f3c51d0.</summary>
    public Func<ulong, byte[], DeliveryLevel, Receipt> Receipt { get; set; } = static (counter, _, _) =>
        new Receipt { Counter = counter, RingId = "1.2a.9f3c51d0", Seq = counter + 1, Index = 0, TNs = (long)counter * 1000 };

    /// <summary>Payloads received by Multicast, in order.</summary>
    public ConcurrentQueue<(byte[] Payload, DeliveryLevel Level)> Received { get; } = [];

    /// <summary>Requests received by Subscribe.</summary>
    public List<SubscribeRequest> Subscriptions { get; } = [];

    public async Task<GetStatusResponse> GetStatusAsync(CancellationToken cancellationToken)
    {
        ThrowFailure();
        if (Status is null)
            await Task.Delay(Timeout.Infinite, cancellationToken);
        return Status!; // the delay above only ends by cancellation
    }

    public async IAsyncEnumerable<View> WatchViewsAsync(ulong afterRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ThrowFailure();
        foreach (var view in Views)
            yield return view;
        if (!StreamsEnd)
            await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    public async IAsyncEnumerable<SubscribeResponse> SubscribeAsync(
        SubscribeRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ThrowFailure();
        Subscriptions.Add(request);
        foreach (var item in Stream)
            yield return item;
        OnStreamIdle();
        if (!StreamsEnd)
            await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    public IMulticast Multicast(CancellationToken cancellationToken)
    {
        ThrowFailure();
        return new FakeMulticast(this);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void ThrowFailure()
    {
        if (Failure is not null)
            throw Failure;
    }

    private sealed class FakeMulticast(FakeDaemon daemon) : IMulticast
    {
        private readonly Channel<MulticastResponse> _receipts = Channel.CreateUnbounded<MulticastResponse>();
        private ulong _counter;

        public Task SendAsync(MulticastRequest request, CancellationToken cancellationToken)
        {
            var response = new MulticastResponse();
            foreach (var payload in request.Payloads)
            {
                daemon.Received.Enqueue((payload.ToByteArray(), request.Level));
                response.Receipts.Add(daemon.Receipt(++_counter, payload.ToByteArray(), request.Level));
            }
            if (daemon.GivesReceipts)
                _receipts.Writer.TryWrite(response);
            return Task.CompletedTask;
        }

        public Task CompleteAsync()
        {
            if (daemon.GivesReceipts)
                _receipts.Writer.Complete();
            return Task.CompletedTask;
        }

        public IAsyncEnumerable<MulticastResponse> ReceiptsAsync(CancellationToken cancellationToken) =>
            _receipts.Reader.ReadAllAsync(cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>Connects to daemons in memory by socket path.</summary>
internal sealed class FakeConnector : IDaemonConnector
{
    private readonly Dictionary<string, Func<IDaemon>> _daemons = [];

    /// <summary>A connector that reaches one daemon at the default socket.</summary>
    public static FakeConnector To(FakeDaemon daemon) => new FakeConnector().Add("/run/membership/api.sock", daemon);

    /// <summary>Adds a daemon at a path.</summary>
    public FakeConnector Add(string socket, FakeDaemon daemon)
    {
        daemon.Socket = socket;
        _daemons[socket] = () => daemon;
        return this;
    }

    /// <summary>Makes connecting to a path fail.</summary>
    public FakeConnector Add(string socket, CliException failure)
    {
        _daemons[socket] = () => throw failure;
        return this;
    }

    public Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken) =>
        _daemons.TryGetValue(socket, out var open)
            ? Task.FromResult(open())
            : Task.FromException<IDaemon>(new CliException(ErrorCatalogue.SocketMissing, ("socket", socket)));
}

/// <summary>Connects to a daemon that accepts and never says a word.</summary>
internal sealed class SilentConnector : IDaemonConnector
{
    public async Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        throw new InvalidOperationException("the delay only ends by cancellation");
    }
}
