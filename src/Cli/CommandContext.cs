using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Remote;
using Membership.Cli.Text;

namespace Membership.Cli;

/// <summary>One run of one command: its host, the common options, and the way to its daemon.</summary>
/// <param name="Host">The process it runs in.</param>
/// <param name="Socket">The daemon's socket.</param>
/// <param name="Timeout">How long any single answer may take.</param>
/// <param name="Json">Write JSON instead of text.</param>
internal sealed record CommandContext(CliHost Host, string Socket, TimeSpan Timeout, bool Json)
{
    /// <summary>The files of mutual TLS for daemons of other machines, as far as they are named.</summary>
    public NamedTlsFiles Tls { get; init; } = new(null, null, null);

    /// <summary>Connects within the time limit.</summary>
    public Task<IDaemon> ConnectAsync(CancellationToken cancellationToken) => ConnectAsync(Socket, cancellationToken);

    /// <summary>Connects to another socket, or to a daemon of another machine (<c>https://host:port</c>), within the time limit.</summary>
    public Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken) =>
        WithinTimeoutAsync(socket, "connecting", token => OpenAsync(socket, token), cancellationToken);

    /// <summary>Runs one call and throws <c>MB1206</c> when it takes longer than the time limit, also when the call ignores its token.</summary>
    public Task<T> WithinTimeoutAsync<T>(string doing, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        WithinTimeoutAsync(Socket, doing, call, cancellationToken);

    private Task<IDaemon> OpenAsync(string socket, CancellationToken cancellationToken)
    {
        if (!RemoteProbe.IsRemote(socket)) return Host.Connector.ConnectAsync(socket, cancellationToken);
        return Host.Connector.ConnectAsync(RemoteProbe.Parse(socket), Tls.Require(), cancellationToken);
    }

    private async Task<T> WithinTimeoutAsync<T>(
        string socket, string doing, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Timeout, Host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await call(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ErrorCatalogue.TimedOut,
                ("socket", socket), ("timeout", Durations.Format(Timeout)), ("doing", doing));
        }
    }
}
