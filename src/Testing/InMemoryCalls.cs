using System.Threading.Channels;
using Grpc.Core;
using Membership.V1;

namespace Membership.Testing;

/// <summary>Carries calls from a client to the services of a node without a socket. While the node is down they fail as without a daemon.</summary>
internal sealed class InMemoryCalls : CallInvoker
{
    private readonly TestNode _node;
    private readonly Dictionary<string, Delegate> _handlers = [];

    public InMemoryCalls(TestNode node)
    {
        _node = node;
        var binder = new Binder(_handlers);
        GroupService.BindService(binder, new NodeGroups(node));
        QuorumService.BindService(binder, new NodeQuorum(node));
        MembershipService.BindService(binder, new NodeMembership(node));
    }

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        throw new NotSupportedException("Calls of the SDK do not block.");

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = new InMemoryCall<TRequest, TResponse>(_node, options);
        var handler = Find<UnaryServerMethod<TRequest, TResponse>>(method);
        var response = new TaskCompletionSource<TResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        call.Run(async context => response.TrySetResult(await handler(request, context).ConfigureAwait(false)), failure => response.TrySetException(failure));
        return new AsyncUnaryCall<TResponse>(response.Task, call.Headers, () => Status.DefaultSuccess, static () => [], call.Dispose);
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = new InMemoryCall<TRequest, TResponse>(_node, options);
        var handler = Find<ServerStreamingServerMethod<TRequest, TResponse>>(method);
        call.Run(context => handler(request, call, context), call.Fail);
        return new AsyncServerStreamingCall<TResponse>(call, call.Headers, () => Status.DefaultSuccess, static () => [], call.Dispose);
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        throw new NotSupportedException("No service of the SDK has such a call.");

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = new InMemoryCall<TRequest, TResponse>(_node, options);
        var handler = Find<DuplexStreamingServerMethod<TRequest, TResponse>>(method);
        call.Run(context => handler(call.Requests, call, context), call.Fail);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(call.Requests, call, call.Headers, () => Status.DefaultSuccess, static () => [], call.Dispose);
    }

    private T Find<T>(IMethod method)
        where T : Delegate =>
        _handlers.TryGetValue(method.FullName, out var handler) ? (T)handler : throw new RpcException(new Status(StatusCode.Unimplemented, $"{method.FullName} is not served by a test cluster."));

    private sealed class Binder(Dictionary<string, Delegate> handlers) : ServiceBinderBase
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) => Add(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) => Add(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) => Add(method, handler);

        private void Add(IMethod method, Delegate? handler)
        {
            if (handler is not null) handlers.Add(method.FullName, handler);
        }
    }
}

/// <summary>One call: requests one way, replies the other, and one status at the end.</summary>
internal sealed class InMemoryCall<TRequest, TResponse> : IAsyncStreamReader<TResponse>, IServerStreamWriter<TResponse>, IDisposable
    where TRequest : class
    where TResponse : class
{
    private readonly TestNode _node;
    private readonly CancellationTokenSource _ends;
    private readonly CancellationToken _life;
    private readonly Channel<TResponse> _replies = Channel.CreateUnbounded<TResponse>();
    private readonly CancellationToken _caller;
    private TResponse? _current;

    public InMemoryCall(TestNode node, CallOptions options)
    {
        _node = node;
        _caller = options.CancellationToken;
        _life = node.Life;
        _ends = CancellationTokenSource.CreateLinkedTokenSource(_caller, _life);
        Requests = new RequestStream(_ends.Token);
    }

    public Task<Metadata> Headers { get; } = Task.FromResult(Metadata.Empty);

    public RequestStream Requests { get; }

    public WriteOptions? WriteOptions { get; set; }

    public TResponse Current => _current ?? throw new InvalidOperationException("There is no current message: call MoveNext first.");

    /// <summary>Serves the call on another thread; a failure becomes its status.</summary>
    public void Run(Func<ServerCallContext, Task> serve, Action<RpcException> fail) => _ = Task.Run(async () =>
    {
        try
        {
            if (!_node.IsUp) throw new RpcException(new Status(StatusCode.Unavailable, $"node {_node.Id} is not running"));
            await serve(new Context(_ends.Token)).ConfigureAwait(false);
            _replies.Writer.TryComplete();
        }
        catch (Exception failure)
        {
            fail(failure as RpcException ?? new RpcException(StatusOf(failure)));
        }
    });

    public void Fail(RpcException failure)
    {
        _replies.Writer.TryComplete(failure);
        Requests.Fail(failure);
    }

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (!await _replies.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false)) return false;
        return _replies.Reader.TryRead(out _current);
    }

    public Task WriteAsync(TResponse message)
    {
        _replies.Writer.TryWrite(message);
        return Task.CompletedTask;
    }

    public Task WriteAsync(TResponse message, CancellationToken cancellationToken) => WriteAsync(message);

    /// <summary>Cancels what still runs.</summary>
    public void Dispose()
    {
        Fail(new RpcException(new Status(StatusCode.Cancelled, "The call was cancelled.")));
        if (!_ends.IsCancellationRequested) _ends.Cancel();
    }

    private Status StatusOf(Exception failure)
    {
        if (_life.IsCancellationRequested) return new Status(StatusCode.Unavailable, $"node {_node.Id} is not running");
        return failure is OperationCanceledException ? new Status(StatusCode.Cancelled, "The call was cancelled.") : new Status(StatusCode.Unknown, failure.ToString());
    }

    /// <summary>The requests: the client writes, the node reads.</summary>
    internal sealed class RequestStream(CancellationToken ends) : IClientStreamWriter<TRequest>, IAsyncStreamReader<TRequest>
    {
        private readonly Channel<TRequest> _requests = Channel.CreateUnbounded<TRequest>();
        private RpcException? _failure;
        private TRequest? _current;

        public WriteOptions? WriteOptions { get; set; }

        public TRequest Current => _current ?? throw new InvalidOperationException("There is no current message: call MoveNext first.");

        public Task WriteAsync(TRequest message) =>
            _failure is { } failure ? Task.FromException(failure) : Task.FromResult(_requests.Writer.TryWrite(message));

        public Task WriteAsync(TRequest message, CancellationToken cancellationToken) => WriteAsync(message);

        public Task CompleteAsync()
        {
            _requests.Writer.TryComplete();
            return Task.CompletedTask;
        }

        public void Fail(RpcException failure)
        {
            _failure ??= failure;
            _requests.Writer.TryComplete();
        }

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await _requests.Reader.WaitToReadAsync(ends).ConfigureAwait(false)) return false;
            return _requests.Reader.TryRead(out _current);
        }
    }

    private sealed class Context(CancellationToken ends) : ServerCallContext
    {
        protected override string MethodCore => "";

        protected override string HostCore => "test";

        protected override string PeerCore => "in memory";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore => Metadata.Empty;

        protected override CancellationToken CancellationTokenCore => ends;

        protected override Metadata ResponseTrailersCore { get; } = [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore => throw new NotSupportedException("Nobody is authenticated in memory.");

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
