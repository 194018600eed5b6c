using Grpc.Core;

namespace Membership.Client;

/// <summary>Reads a stream of a daemon through losses of its connection. What is asked for again after a loss is the caller's cursor.</summary>
internal sealed class ResumingReader<TResponse>(
    string operation, MembershipClientOptions options, Reconnect reconnect, Func<CancellationToken, AsyncServerStreamingCall<TResponse>> open)
    : IDisposable
{
    private readonly long _started = options.TimeProvider.GetTimestamp();
    private AsyncServerStreamingCall<TResponse>? _call;
    private bool _isConnected;

    /// <summary>The next response of the daemon, from this connection or a later one.</summary>
    public async Task<TResponse> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            MembershipException failure;
            try
            {
                _call ??= open(cancellationToken);
                if (await _call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false))
                {
                    MarkConnected();
                    return _call.ResponseStream.Current;
                }
                failure = new MembershipException(MembershipReason.Unavailable, $"{operation}: the daemon ended the stream.");
            }
            catch (RpcException broken)
            {
                cancellationToken.ThrowIfCancellationRequested();
                failure = MembershipException.From(broken, operation);
            }
            await WaitForNextTryAsync(failure, cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => _call?.Dispose();

    private async Task WaitForNextTryAsync(MembershipException failure, CancellationToken cancellationToken)
    {
        _call?.Dispose();
        _call = null;
        _isConnected = false;
        var now = options.TimeProvider.GetElapsedTime(_started);
        if (reconnect.OnFailed(now, failure.Reason) is not { } pause) throw failure;
        options.ConnectionChanged?.Invoke(new ConnectionState(false, failure, pause));
        await Task.Delay(pause, options.TimeProvider, cancellationToken).ConfigureAwait(false);
    }

    private void MarkConnected()
    {
        if (_isConnected) return;
        _isConnected = true;
        reconnect.OnConnected();
        options.ConnectionChanged?.Invoke(new ConnectionState(true, null, TimeSpan.Zero));
    }
}
