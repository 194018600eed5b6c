using Grpc.Core;
using Membership.Exploration.Hosts.Steering;

namespace Membership.Exploration.Hosts.Daemons;

/// <summary>Carries the session calls of the SDK to a daemon of the same world; while there is none they fail as without a daemon.</summary>
internal sealed class MemoryInvoker(World world) : CallInvoker
{
    private readonly List<MemoryCall> _calls = [];

    /// <summary>The daemon that listens; null: nobody does.</summary>
    public HostedNode? Node { get; set; }

    /// <summary>Calls made so far.</summary>
    public int Calls => _calls.Count;

    /// <summary>Calls whose daemon's side runs.</summary>
    public List<Task> Serving { get; } = [];

    /// <summary>The connections are lost.</summary>
    public void BreakAll() => _calls.ForEach(static call => call.Break());

    /// <inheritdoc/>
    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = new MemoryCall(world, buffer: 4, Node?.Killed.Token ?? CancellationToken.None);
        _calls.Add(call);
        if (Node is { } node) Serving.Add(call.ServeAsync("session of the client", node.Groups.Session));
        else call.Break();
        // The client asks for sessions only: they are of these types.
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            (IClientStreamWriter<TRequest>)(object)call, (IAsyncStreamReader<TResponse>)(object)call, Task.FromResult(Metadata.Empty), () => call.Status ?? Status.DefaultSuccess, static () => [], call.Vanish);
    }

    /// <inheritdoc/>
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw new NotSupportedException("calls of the SDK do not block");

    /// <inheritdoc/>
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw new NotSupportedException(method.FullName);

    /// <inheritdoc/>
    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw new NotSupportedException(method.FullName);

    /// <inheritdoc/>
    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options) => throw new NotSupportedException(method.FullName);
}
