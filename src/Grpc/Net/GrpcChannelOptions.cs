using Membership.Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>Options of a <see cref="GrpcChannel"/>.</summary>
public sealed class GrpcChannelOptions
{
    /// <summary>Carries the requests. Null: a <see cref="SocketsHttpHandler"/> made for gRPC.</summary>
    public HttpMessageHandler? HttpHandler { get; set; }

    /// <summary>Dispose the handler with the channel. A handler the channel made itself is always disposed.</summary>
    public bool DisposeHttpClient { get; set; }

    /// <summary>In bytes after decompression; default 4 MiB; null: no limit. Too small: RESOURCE_EXHAUSTED for large replies.</summary>
    public int? MaxReceiveMessageSize { get; set; } = Frame.DefaultMaxReceiveBytes;

    /// <summary>In bytes before compression; default none.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Measures deadlines.</summary>
    internal TimeProvider TimeProvider { get; set; } = TimeProvider.System;
}
