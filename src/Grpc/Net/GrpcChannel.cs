using System.Net;
using Grpc.Core;

namespace Grpc.Net.Client;

/// <summary>Calls to one server over HTTP/2. Safe for any number of calls at the same time; keep one for the life of the process.</summary>
public sealed class GrpcChannel : ChannelBase, IDisposable
{
    private readonly bool _disposeHandler;
    private int _disposed;

    private GrpcChannel(Uri address, GrpcChannelOptions options)
        : base(address.Authority)
    {
        _disposeHandler = options.DisposeHttpClient || options.HttpHandler is null;
        Address = address;
        Invoker = new HttpMessageInvoker(options.HttpHandler ?? CreateHandler(), _disposeHandler);
        MaxReceiveMessageSize = options.MaxReceiveMessageSize;
        MaxSendMessageSize = options.MaxSendMessageSize;
        TimeProvider = options.TimeProvider;
    }

    internal Uri Address { get; }

    internal HttpMessageInvoker Invoker { get; }

    internal int? MaxReceiveMessageSize { get; }

    internal int? MaxSendMessageSize { get; }

    internal TimeProvider TimeProvider { get; }

    public static GrpcChannel ForAddress(string address) => ForAddress(address, new GrpcChannelOptions());

    public static GrpcChannel ForAddress(string address, GrpcChannelOptions channelOptions) => ForAddress(new Uri(address), channelOptions);

    /// <summary>The address is <c>http://host:port</c> (HTTP/2 without TLS) or <c>https://host:port</c>. Connects with the first call.</summary>
    public static GrpcChannel ForAddress(Uri address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(channelOptions);
        if (address.Scheme is not ("http" or "https"))
        {
            throw new ArgumentException($"The address {address} is neither http:// nor https://.", nameof(address));
        }
        return new GrpcChannel(address, channelOptions);
    }

    public override CallInvoker CreateCallInvoker() => new HttpCallInvoker(this);

    /// <summary>Cancels the running calls when the channel owns its handler.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) Invoker.Dispose();
    }

    internal void CheckNotDisposed() => ObjectDisposedException.ThrowIf(_disposed != 0, this);

    /// <summary>A handler without anything a browser needs.</summary>
    internal static SocketsHttpHandler CreateHandler() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = true,
        InitialHttp2StreamWindowSize = StreamWindowBytes,
    };

    /// <summary>What a server may send ahead on one stream.</summary>
    private const int StreamWindowBytes = 1 << 20;

    protected override Task ShutdownAsyncCore()
    {
        Dispose();
        return Task.CompletedTask;
    }
}
