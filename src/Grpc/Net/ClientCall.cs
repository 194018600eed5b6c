using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Membership.Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>One call of a client, of any of the four kinds: sends the request head, reads the replies, decides the status once.</summary>
/// <remarks>
/// Requests and replies may be handled by two threads at the same time; each side by one. The status is decided by the first of:
/// the server's trailers, the deadline, a cancel, a failure of the transport.
/// </remarks>
internal sealed class ClientCall<TRequest, TResponse> : IAsyncStreamReader<TResponse>, IDisposable
    where TRequest : class
    where TResponse : class
{
    private readonly GrpcChannel _channel;
    private readonly Method<TRequest, TResponse> _method;
    private readonly CallOptions _options;
    private readonly HttpRequestMessage _request;
    private readonly CancellationTokenSource _cancellation = new();
    private readonly CancellationTokenRegistration _callerCancels;
    private readonly TaskCompletionSource<Metadata> _headers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly bool _compress;
    private StreamingRequestContent? _requests;
    private ITimer? _deadlineTimer;
    private volatile bool _expired;
    private HttpResponseMessage? _response;
    private PipeReader? _pipe;
    private FrameReader<TResponse>? _frames;
    private Task _started = Task.CompletedTask;
    private TResponse? _current;
    private RpcException? _failure;
    private Status? _status;
    private Metadata _trailers = Metadata.Empty;
    private bool _reading;
    private bool _disposed;
    private bool _isStarted;

    public ClientCall(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        channel.CheckNotDisposed();
        _channel = channel;
        _method = method;
        _options = options;
        _request = new HttpRequestMessage(HttpMethod.Post, new Uri(channel.Address, method.FullName))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (host is not null) _request.Headers.Host = host;
        _compress = AddHeaders();
        // Whoever does not ask for the headers must not hear of their failure at the finalizer.
        _ = _headers.Task.ContinueWith(
            static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _callerCancels = options.CancellationToken.UnsafeRegister(static state => ((ClientCall<TRequest, TResponse>)state!).Cancel(), this);
    }

    public Task<Metadata> ResponseHeaders => _headers.Task;

    public CancellationToken CancellationToken => _cancellation.Token;

    public bool IsEnded
    {
        get
        {
            lock (_gate) return _status is not null;
        }
    }

    public TResponse Current => _current ?? throw new InvalidOperationException("There is no current message: call MoveNext first.");

    public Task<TResponse> StartSingleReply(TRequest request)
    {
        _request.Content = SingleRequest(request);
        Start();
        return ReadSingleReplyAsync();
    }

    public void StartReplies(TRequest request)
    {
        _request.Content = SingleRequest(request);
        Start();
    }

    public (IClientStreamWriter<TRequest> Requests, Task<TResponse> Response) StartRequestsSingleReply()
    {
        var requests = StartRequestsReplies();
        return (requests, ReadSingleReplyAsync());
    }

    public IClientStreamWriter<TRequest> StartRequestsReplies()
    {
        _requests = new StreamingRequestContent();
        _request.Content = _requests;
        Start();
        return new RequestStreamWriter<TRequest, TResponse>(this, _requests, _method.RequestMarshaller, _channel.MaxSendMessageSize, _compress);
    }

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(static state => ((ClientCall<TRequest, TResponse>)state!).Cancel(), this)
            .ConfigureAwait(false);
        _current = await ReadReplyAsync().ConfigureAwait(false);
        return _current is not null;
    }

    public void Cancel() => _cancellation.Cancel();

    public Status GetStatus()
    {
        lock (_gate) return _status ?? throw new InvalidOperationException("The call has not ended, so it has no status yet.");
    }

    public Metadata GetTrailers()
    {
        lock (_gate) return _status is null ? throw new InvalidOperationException("The call has not ended, so it has no trailers yet.") : _trailers;
    }

    public void Dispose()
    {
        Decide(new Status(StatusCode.Cancelled, "The call was disposed."), Metadata.Empty);
        bool idle;
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            idle = !_reading && _isStarted;
        }
        _cancellation.Cancel();
        if (idle) CleanUp();
    }

    /// <summary>What a failed write tells its caller: the status of the call where it is known.</summary>
    public RpcException WriteFailure(Exception? failure)
    {
        lock (_gate)
        {
            if (_failure is not null) return _failure;
            if (_status is { } ended) return new RpcException(ended, _trailers, "The call has ended: nothing more can be sent.");
        }
        if (failure is null) return new RpcException(new Status(StatusCode.Internal, "The call has ended."));
        if (_expired || _options.CancellationToken.IsCancellationRequested) return new RpcException(StatusOf(failure));
        // The server may have ended the call on purpose; then its status is in the replies, which only their reader can take.
        return failure is OperationCanceledException or ObjectDisposedException
            ? new RpcException(new Status(StatusCode.Unavailable, "The server takes no more requests in this call; its status follows the replies.", failure))
            : new RpcException(StatusOf(failure));
    }

    private SingleRequestContent SingleRequest(TRequest request)
    {
        using var buffer = new PooledBuffer();
        using var frames = new FrameWriter<TRequest>(_method.RequestMarshaller, buffer, _channel.MaxSendMessageSize);
        frames.Write(request, _compress);
        return new SingleRequestContent(buffer.Written.ToArray());
    }

    private bool AddHeaders()
    {
        var headers = _request.Headers;
        headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        headers.TryAddWithoutValidation("user-agent", UserAgent);
        headers.TryAddWithoutValidation(HeaderFields.AcceptEncoding, HeaderFields.AcceptedEncodings);

        bool compress = false;
        foreach (var entry in _options.Headers ?? Metadata.Empty)
        {
            if (entry.Key == HeaderFields.RequestEncodingWish) compress = entry.Value == Gzip.Name;
            else headers.TryAddWithoutValidation(entry.Key, HeaderFields.Text(entry));
        }
        if (compress) headers.TryAddWithoutValidation(HeaderFields.Encoding, Gzip.Name);
        return compress;
    }

    private static readonly string UserAgent =
        $"membership-grpc/{typeof(GrpcChannel).Assembly.GetName().Version?.ToString(3) ?? "0"}";

    private void Start()
    {
        if (_options.Deadline is { } deadline && deadline != DateTime.MaxValue)
        {
            var remaining = deadline.ToUniversalTime() - _channel.TimeProvider.GetUtcNow().UtcDateTime;
            _request.Headers.TryAddWithoutValidation(Timeouts.Header, Timeouts.Format(remaining));
            if (Timeouts.ForTimer(remaining) is { } wait)
            {
                _deadlineTimer = _channel.TimeProvider.CreateTimer(
                    static state => ((ClientCall<TRequest, TResponse>)state!).Expire(), this, wait, Timeout.InfiniteTimeSpan);
            }
        }
        _started = SendAsync();
    }

    private void Expire()
    {
        _expired = true;
        Cancel();
    }

    /// <summary>Sends the head and waits for the response's head. A failure decides the call; it is thrown where replies are read.</summary>
    private async Task SendAsync()
    {
        try
        {
            var response = await _channel.Invoker.SendAsync(_request, _cancellation.Token).ConfigureAwait(false);
            lock (_gate) _response = response;
            CheckHead(response);

            var headers = new Metadata();
            AddAll(headers, response.Headers);
            var stream = await response.Content.ReadAsStreamAsync(_cancellation.Token).ConfigureAwait(false);
            _pipe = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: ReadBytes));
            bool gzip = Value(response.Headers, HeaderFields.Encoding) == Gzip.Name;
            _frames = new FrameReader<TResponse>(_pipe, _method.ResponseMarshaller, _channel.MaxReceiveMessageSize, gzip);
            _headers.TrySetResult(headers.Freeze());
        }
        catch (Exception failure)
        {
            Decide(StatusOf(failure), (failure as RpcException)?.Trailers ?? Metadata.Empty);
        }
        MarkStarted();
    }

    /// <summary>What one read asks of the connection.</summary>
    private const int ReadBytes = 32 * 1024;

    private static void CheckHead(HttpResponseMessage response)
    {
        bool hasStatus = response.Headers.NonValidated.Contains(HeaderFields.Status);
        bool isGrpc = HeaderFields.IsGrpc(response.Content.Headers.ContentType?.MediaType);
        if (response.StatusCode != HttpStatusCode.OK && !hasStatus) throw new RpcException(StatusMapping.FromHttpStatus(response.StatusCode));
        if (!isGrpc && !hasStatus)
        {
            throw new RpcException(new Status(
                StatusCode.Unknown, $"The server answered with content type '{response.Content.Headers.ContentType}', which is no gRPC."));
        }

        string encoding = Value(response.Headers, HeaderFields.Encoding) ?? Gzip.Identity;
        if (encoding is not (Gzip.Name or Gzip.Identity))
        {
            throw new RpcException(new Status(StatusCode.Internal, $"The server compresses with '{encoding}', which it was not told to be acceptable."));
        }
    }

    private async Task<TResponse> ReadSingleReplyAsync()
    {
        try
        {
            var reply = await ReadReplyAsync().ConfigureAwait(false)
                ?? throw Fail(new Status(StatusCode.Internal, "The server ended the call well, but without a reply."));
            if (await ReadReplyAsync().ConfigureAwait(false) is not null)
            {
                throw Fail(new Status(StatusCode.Internal, "The server sent a second reply to a call that has one."));
            }
            return reply;
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>The next reply, or null when the server ended the call well.</summary>
    private async ValueTask<TResponse?> ReadReplyAsync()
    {
        EnterRead();
        try
        {
            await _started.ConfigureAwait(false);
            ThrowIfFailed();
            if (IsEnded) return null;

            TResponse? reply;
            try
            {
                // Both are set once the head of the response has arrived and was found good.
                reply = await _frames!.ReadAsync(_cancellation.Token).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                throw Fail(StatusOf(failure));
            }
            if (reply is not null) return reply;

            var (status, trailers) = ReadStatus(_response!);
            Decide(status, trailers);
            ThrowIfFailed();
            return null;
        }
        finally
        {
            LeaveRead();
        }
    }

    private void EnterRead()
    {
        lock (_gate)
        {
            if (_reading) throw new InvalidOperationException("The read before this one has not completed. Await it first.");
            _reading = true;
        }
    }

    private void LeaveRead()
    {
        lock (_gate) _reading = false;
        if (IsEnded) CleanUp();
    }

    private void MarkStarted()
    {
        lock (_gate)
        {
            _isStarted = true;
            if (!_disposed || _reading) return;
        }
        CleanUp();
    }

    private void ThrowIfFailed()
    {
        lock (_gate)
        {
            if (_failure is not null) throw _failure;
        }
    }

    private RpcException Fail(Status status)
    {
        Decide(status, Metadata.Empty);
        lock (_gate) return _failure ?? new RpcException(status);
    }

    private void Decide(Status status, Metadata trailers)
    {
        lock (_gate)
        {
            if (_status is not null) return;
            _status = status;
            _trailers = trailers;
            if (status.StatusCode != StatusCode.OK) _failure = new RpcException(status, trailers);
        }
        _deadlineTimer?.Dispose();
        if (_failure is not null) _headers.TrySetException(_failure);
        _requests?.End();
    }

    /// <summary>Gives everything back. The caller knows that nobody reads.</summary>
    private void CleanUp()
    {
        HttpResponseMessage? response;
        PipeReader? pipe;
        FrameReader<TResponse>? frames;
        lock (_gate)
        {
            (response, _response) = (_response, null);
            (pipe, _pipe) = (_pipe, null);
            (frames, _frames) = (_frames, null);
        }
        frames?.Dispose();
        pipe?.Complete();
        response?.Dispose();
        _deadlineTimer?.Dispose();
        _callerCancels.Unregister();
        _cancellation.Cancel();
    }

    private Status StatusOf(Exception failure)
    {
        if (failure is RpcException call) return call.Status;
        if (_expired) return new Status(StatusCode.DeadlineExceeded, "The deadline of the call passed.", failure);
        if (_options.CancellationToken.IsCancellationRequested) return new Status(StatusCode.Cancelled, "The caller cancelled the call.", failure);
        return StatusMapping.FromException(failure);
    }

    private static (Status Status, Metadata Trailers) ReadStatus(HttpResponseMessage response)
    {
        // A server that has nothing but a status puts it into the headers (Trailers-Only).
        bool inTrailers = response.TrailingHeaders.NonValidated.Contains(HeaderFields.Status);
        HttpHeaders fields = inTrailers ? response.TrailingHeaders : response.Headers;

        var trailers = new Metadata();
        AddAll(trailers, fields);
        string? code = Value(fields, HeaderFields.Status);
        if (code is null)
        {
            return (new Status(StatusCode.Unavailable, "The server ended the call without a status; it was probably stopped."), trailers.Freeze());
        }

        string detail = PercentEncoding.Decode(Value(fields, HeaderFields.Message) ?? "");
        bool known = int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= (int)StatusCode.Unauthenticated;
        return (new Status(known ? (StatusCode)number : StatusCode.Unknown, detail), trailers.Freeze());
    }

    private static void AddAll(Metadata metadata, HttpHeaders fields)
    {
        foreach (var (name, values) in fields.NonValidated)
        {
            foreach (string value in values) HeaderFields.AddReceived(metadata, name, value);
        }
    }

    private static string? Value(HttpHeaders fields, string name) =>
        fields.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
}
