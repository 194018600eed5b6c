using System.Globalization;
using System.Text;
using Grpc.Core;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Unix;
using Membership.Grpc.Wire;
using Microsoft.AspNetCore.Http;

namespace Membership.Grpc.Server.Kestrel;

/// <summary>What a handler sees of its call. After <see cref="End"/> nothing touches the request, which the host uses again.</summary>
internal sealed class HttpServerCall : ServerCallContext, IDisposable
{
    /// <summary>Key of the <see cref="UnixPeer"/> in <see cref="ServerCallContext.UserState"/>.</summary>
    public const string UnixPeerKey = "membership.unix-peer";

    /// <summary>Key of the groups of that peer.</summary>
    public const string UnixGroupsKey = "membership.unix-groups";

    /// <summary>Key of the client's certificate.</summary>
    public const string CertificateKey = "membership.certificate";

    private readonly HttpContext _http;
    private readonly GrpcServerOptions _options;
    private readonly CancellationTokenSource _cancellation;
    private readonly CancellationToken _stopping;
    private readonly ITimer? _deadlineTimer;
    private readonly Dictionary<object, object> _userState = [];
    private Metadata? _requestHeaders;
    private Metadata? _responseTrailers;
    private AuthContext? _authContext;
    private volatile RpcException? _revoked;
    private volatile bool _expired;
    private volatile bool _ended;

    public HttpServerCall(HttpContext http, IMethod method, GrpcServerOptions options, CancellationToken stopping)
    {
        _http = http;
        _options = options;
        // A single reply may still be finished while the server stops; a stream could last for ever.
        _stopping = method.Type == MethodType.Unary ? CancellationToken.None : stopping;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _stopping);
        IsReplyStream = method.Type is MethodType.ServerStreaming or MethodType.DuplexStreaming;
        MethodCore = method.FullName;
        CancellationTokenCore = _cancellation.Token;
        RequestIsGzip = http.Request.Headers[HeaderFields.Encoding] == Gzip.Name;
        ReplyIsGzip = options.CompressReplies
            && http.Request.Headers[HeaderFields.AcceptEncoding].ToString().Split(',', StringSplitOptions.TrimEntries).Contains(Gzip.Name);
        if (ReplyIsGzip) http.Response.Headers[HeaderFields.Encoding] = Gzip.Name;

        if (http.Features.Get<IUnixPeerFeature>() is { } unix)
        {
            Peer = unix.Peer;
            _userState[UnixPeerKey] = unix.Peer;
            _userState[UnixGroupsKey] = unix.Groups;
        }
        if (http.Connection.ClientCertificate is { } certificate) _userState[CertificateKey] = certificate;
        _deadlineTimer = StartDeadline();
    }

    public bool IsReplyStream { get; }

    public bool RequestIsGzip { get; }

    public bool ReplyIsGzip { get; }

    public bool IsExpired => _expired;

    public bool IsAborted => _http.RequestAborted.IsCancellationRequested;

    public bool IsStopping => _stopping.IsCancellationRequested;

    /// <summary>What ends the call because its caller may no longer make it; null while he may.</summary>
    public Status? Revoked => _revoked?.Status;

    public bool HasTrailers => _responseTrailers is { Count: > 0 };

    public HttpContext Http
    {
        get
        {
            CheckNotEnded();
            return _http;
        }
    }

    private new UnixPeer? Peer { get; }

    protected override string MethodCore { get; }

    protected override string HostCore => Http.Request.Host.Value ?? "";

    protected override string PeerCore
    {
        get
        {
            var connection = Http.Connection;
            if (connection.RemoteIpAddress is not { } address) return Peer is { } peer ? $"unix:pid={peer.ProcessId},uid={peer.UserId}" : "unknown:";
            return address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6
                ? $"ipv6:[{address}]:{connection.RemotePort}"
                : $"ipv4:{address}:{connection.RemotePort}";
        }
    }

    protected override DateTime DeadlineCore => _deadline;

    private DateTime _deadline = DateTime.MaxValue;

    protected override Metadata RequestHeadersCore => _requestHeaders ??= ReadRequestHeaders();

    protected override CancellationToken CancellationTokenCore { get; }

    protected override Metadata ResponseTrailersCore => _responseTrailers ??= [];

    protected override Status StatusCore { get; set; } = Status.DefaultSuccess;

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => _authContext ??= ReadAuthContext();

    protected override IDictionary<object, object> UserStateCore => _userState;

    public void CheckNotEnded()
    {
        if (_ended) throw new InvalidOperationException($"The call of {MethodCore} has ended; its streams and its context can no longer be used.");
    }

    public void End()
    {
        _ended = true;
        _deadlineTimer?.Dispose();
    }

    /// <summary>Tells handlers that outlive their call to stop.</summary>
    public void Dispose()
    {
        End();
        _cancellation.Dispose();
    }

    public void Cancel() => _cancellation.Cancel();

    /// <summary>Ends the call with a status, whatever its handler does.</summary>
    public void Revoke(Status status)
    {
        if (_ended) return;
        _revoked = new RpcException(status);
        try
        {
            _cancellation.Cancel();
        }
        catch (ObjectDisposedException) when (_ended)
        {
            // The call ended by itself meanwhile.
        }
    }

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        ArgumentNullException.ThrowIfNull(responseHeaders);
        if (Http.Response.HasStarted)
        {
            throw new InvalidOperationException("The response headers have been sent; those of a stream leave before its handler starts. Use ResponseTrailers.");
        }
        foreach (var entry in responseHeaders) Http.Response.Headers.Append(entry.Key, HeaderFields.Text(entry));
        return Http.Response.StartAsync(CancellationTokenCore);
    }

    private ITimer? StartDeadline()
    {
        string? text = _http.Request.Headers[Timeouts.Header];
        if (text is null || !Timeouts.TryParse(text, out var timeout)) return null;
        if (Timeouts.ForTimer(timeout) is not { } wait) return null;
        _deadline = _options.TimeProvider.GetUtcNow().UtcDateTime + wait;
        return _options.TimeProvider.CreateTimer(static state => ((HttpServerCall)state!).Expire(), this, wait, Timeout.InfiniteTimeSpan);
    }

    private void Expire()
    {
        if (_ended) return;
        _expired = true;
        try
        {
            _cancellation.Cancel();
        }
        catch (ObjectDisposedException) when (_ended)
        {
            // The call ended while its deadline passed.
        }
    }

    private Metadata ReadRequestHeaders()
    {
        var metadata = new Metadata();
        foreach (var (name, values) in Http.Request.Headers)
        {
            foreach (string? value in values) HeaderFields.AddReceived(metadata, name, value ?? "");
        }
        return metadata.Freeze();
    }

    private AuthContext ReadAuthContext()
    {
        var properties = new Dictionary<string, List<AuthProperty>>();
        if (Peer is { } peer)
        {
            Add("unix_uid", peer.UserId.ToString(CultureInfo.InvariantCulture));
            Add("unix_gid", peer.GroupId.ToString(CultureInfo.InvariantCulture));
            Add("unix_pid", peer.ProcessId.ToString(CultureInfo.InvariantCulture));
        }
        if (Http.Connection.ClientCertificate is { } certificate) Add("x509_subject", certificate.Subject);
        string? identity = properties.ContainsKey("x509_subject") ? "x509_subject" : Peer is null ? null : "unix_uid";
        return new AuthContext(identity, properties);

        void Add(string name, string value) => properties[name] = [AuthProperty.Create(name, Encoding.UTF8.GetBytes(value))];
    }
}
