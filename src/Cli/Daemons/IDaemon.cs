using Membership.Grpc.Tls;
using Membership.V1;

namespace Membership.Cli.Daemons;

/// <summary>One daemon as the commands see it. Every method ends in a <see cref="Errors.CliException"/> when the daemon does not do its part.</summary>
internal interface IDaemon : IAsyncDisposable
{
    /// <summary>The socket it was reached at.</summary>
    string Socket { get; }

    /// <summary>The process behind the socket, by the kernel's word; null where the kernel does not tell.</summary>
    int? ProcessId { get; }

    /// <summary>What the daemon knows now.</summary>
    Task<GetStatusResponse> GetStatusAsync(CancellationToken cancellationToken);

    /// <summary>The current view, then each later one.</summary>
    IAsyncEnumerable<View> WatchViewsAsync(ulong afterRevision, CancellationToken cancellationToken);

    /// <summary>Views and messages of the raw ring, in its order.</summary>
    IAsyncEnumerable<SubscribeResponse> SubscribeAsync(SubscribeRequest request, CancellationToken cancellationToken);

    /// <summary>Opens a stream for sending; messages leave in the order they are written.</summary>
    IMulticast Multicast(CancellationToken cancellationToken);

    /// <summary>Who may act, and why.</summary>
    IQuorumCalls Quorum { get; }

    /// <summary>Closed process groups.</summary>
    IGroupCalls Groups { get; }

    /// <summary>What an operator changes.</summary>
    IAdminCalls Admin { get; }
}

/// <summary>A stream of messages to the ring and of their receipts.</summary>
internal interface IMulticast : IAsyncDisposable
{
    /// <summary>Writes messages; returns when the daemon has room for more.</summary>
    Task SendAsync(MulticastRequest request, CancellationToken cancellationToken);

    /// <summary>Nothing more will be sent; the receipts still come.</summary>
    Task CompleteAsync();

    /// <summary>One receipt for each message, in the order of sending.</summary>
    IAsyncEnumerable<MulticastResponse> ReceiptsAsync(CancellationToken cancellationToken);
}

/// <summary>Opens connections to daemons.</summary>
internal interface IDaemonConnector
{
    /// <summary>Connects, or throws the error that says why it cannot.</summary>
    Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken);

    /// <summary>Connects to a daemon of another machine, or throws the error that says why it cannot.</summary>
    Task<IDaemon> ConnectAsync(Uri address, TlsFiles files, CancellationToken cancellationToken) =>
        throw new NotSupportedException("this connector reaches Unix sockets only");
}
