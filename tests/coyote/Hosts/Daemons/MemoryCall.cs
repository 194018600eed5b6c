using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Grpc.Core;
using Membership.Daemon;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Exploration.Hosts.Steering;
using Proto = Membership.V1;

namespace Membership.Exploration.Hosts.Daemons;

/// <summary>One session call between a client and a daemon of one world: requests one way, responses the other, one status at the end.</summary>
/// <remarks>Responses wait in a buffer as a connection has one: when it is full, the daemon's write does not end before the client reads.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "Lives as long as its iteration.")]
internal sealed class MemoryCall : IAsyncStreamReader<SessionRequest>, IServerStreamWriter<EncodedResponse>, IClientStreamWriter<Proto.GroupRequest>, IAsyncStreamReader<Proto.GroupResponse>
{
    private readonly World _world;
    private readonly Queue<byte[]> _requests = new();
    private readonly Queue<Proto.GroupResponse> _responses = new();
    private readonly BatchSignal _changed = new();
    private readonly CancellationTokenSource _gone;
    private readonly int _buffer;
    private SessionRequest? _request;
    private Proto.GroupResponse? _response;
    private bool _isComplete;
    private Status? _status;

    /// <param name="world">The world.</param>
    /// <param name="buffer">Responses that may wait for the client.</param>
    /// <param name="daemon">Fires when its process is gone.</param>
    public MemoryCall(World world, int buffer, CancellationToken daemon)
    {
        (_world, _buffer) = (world, buffer);
        _gone = CancellationTokenSource.CreateLinkedTokenSource(daemon);
    }

    /// <summary>Told of each response as the daemon hands it over.</summary>
    public Action<Proto.GroupResponse>? Written { get; set; }

    /// <summary>How the daemon ended the call; null while it has not.</summary>
    public Status? Status => _status;

    /// <inheritdoc/>
    public WriteOptions? WriteOptions { get; set; }

    SessionRequest IAsyncStreamReader<SessionRequest>.Current => _request!;   // after MoveNext

    Proto.GroupResponse IAsyncStreamReader<Proto.GroupResponse>.Current => _response!;   // after MoveNext

    /// <summary>Serves the call until it ends.</summary>
    public Task ServeAsync(string name, Func<IAsyncStreamReader<SessionRequest>, IServerStreamWriter<EncodedResponse>, ServerCallContext, Task> serve) => _world.Spawn(name, async () =>
    {
        try
        {
            await serve(this, this, new Context(_gone.Token));
            End(global::Grpc.Core.Status.DefaultSuccess);
        }
        catch (RpcException refused)
        {
            End(refused.Status);
        }
        catch (Exception failure) when (_gone.IsCancellationRequested && failure is OperationCanceledException or IOException)
        {
            End(new Status(StatusCode.Cancelled, "gone"));
        }
        catch (Exception failure)
        {
            End(new Status(StatusCode.Unknown, failure.ToString()));
            throw;
        }
    });

    /// <summary>The client is gone, as a process that died.</summary>
    public void Vanish()
    {
        if (!_gone.IsCancellationRequested) _gone.Cancel();
        _status ??= new Status(StatusCode.Cancelled, "the client is gone");
        _changed.Raise();
    }

    /// <summary>The connection is lost: both ends see it.</summary>
    public void Break()
    {
        _status ??= new Status(StatusCode.Unavailable, "the connection is lost");
        Vanish();
    }

    Task IAsyncStreamWriter<Proto.GroupRequest>.WriteAsync(Proto.GroupRequest message) => WriteAsync(message, CancellationToken.None);

    private Task WriteAsync(Proto.GroupRequest message, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled(cancellationToken);
        if (_status is { } status) return Task.FromException(new RpcException(status));
        _requests.Enqueue(message.ToByteArray());
        _changed.Raise();
        return Task.CompletedTask;
    }

    Task IAsyncStreamWriter<Proto.GroupRequest>.WriteAsync(Proto.GroupRequest message, CancellationToken cancellationToken) => WriteAsync(message, cancellationToken);

    Task IClientStreamWriter<Proto.GroupRequest>.CompleteAsync()
    {
        _isComplete = true;
        _changed.Raise();
        return Task.CompletedTask;
    }

    async Task<bool> IAsyncStreamReader<SessionRequest>.MoveNext(CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var armed = _changed.Arm();
            if (_requests.TryDequeue(out var request))
            {
                _request = SessionRequest.Read(new ReadOnlySequence<byte>(request));
                return true;
            }

            if (_isComplete) return false;
            await armed.WaitAsync(cancellationToken);
        }
    }

    Task IAsyncStreamWriter<EncodedResponse>.WriteAsync(EncodedResponse message) => WriteAsync(message, CancellationToken.None);

    Task IAsyncStreamWriter<EncodedResponse>.WriteAsync(EncodedResponse message, CancellationToken cancellationToken) => WriteAsync(message, cancellationToken);

    private async Task WriteAsync(EncodedResponse message, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var response = Proto.GroupResponse.Parser.ParseFrom(message.Bytes.Span);
        Written?.Invoke(response);
        while (true)
        {
            var armed = _changed.Arm();
            if (_responses.Count < _buffer) break;
            await armed.WaitAsync(cancellationToken);
        }

        _responses.Enqueue(response);
        _changed.Raise();
    }

    async Task<bool> IAsyncStreamReader<Proto.GroupResponse>.MoveNext(CancellationToken cancellationToken)
    {
        while (true)
        {
            var armed = _changed.Arm();
            if (_responses.TryDequeue(out _response))
            {
                _changed.Raise();
                return true;
            }

            if (_status is { } status) return status.StatusCode == StatusCode.OK ? false : throw new RpcException(status);
            await armed.WaitAsync(cancellationToken);
        }
    }

    private void End(Status status)
    {
        _status ??= status;
        _changed.Raise();
    }

    private sealed class Context(CancellationToken gone) : ServerCallContext
    {
        protected override string MethodCore => "";

        protected override string HostCore => "memory";

        protected override string PeerCore => "in memory";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore => [];

        protected override CancellationToken CancellationTokenCore => gone;

        protected override Metadata ResponseTrailersCore { get; } = [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override IDictionary<object, object> UserStateCore { get; } = new Dictionary<object, object>();

        protected override AuthContext AuthContextCore => throw new NotSupportedException("nobody is authenticated in memory");

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
