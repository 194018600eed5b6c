using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Text;

namespace Membership.Cli;

/// <summary>One run of one command: its host, the common options, and the way to its daemon.</summary>
/// <param name="Host">The process it runs in.</param>
/// <param name="Socket">The daemon's socket.</param>
/// <param name="Timeout">How long any single answer may take.</param>
/// <param name="Json">Write JSON instead of text.</param>
internal sealed record CommandContext(CliHost Host, string Socket, TimeSpan Timeout, bool Json)
{
    /// <summary>Connects within the time limit.</summary>
    public Task<IDaemon> ConnectAsync(CancellationToken cancellationToken) => ConnectAsync(Socket, cancellationToken);

    /// <summary>Connects to another socket within the time limit.</summary>
    public Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken) =>
        WithinTimeoutAsync(socket, "connecting", token => Host.Connector.ConnectAsync(socket, token), cancellationToken);

    /// <summary>Runs one call and throws <c>MB1206</c> when it takes longer than the time limit, also when the call ignores its token.</summary>
    public Task<T> WithinTimeoutAsync<T>(string doing, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        WithinTimeoutAsync(Socket, doing, call, cancellationToken);

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
