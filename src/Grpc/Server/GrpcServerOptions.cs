using Grpc.Core;

namespace Membership.Grpc.Server;

/// <summary>Options of all gRPC services of a host; <c>MapGrpcService</c> may change a copy for one service.</summary>
public sealed record GrpcServerOptions
{
    /// <summary>Bound of one received message after decompression, in bytes. Default 4 MiB. Too small: RESOURCE_EXHAUSTED; too large: a client may fill the memory.</summary>
    public int MaxReceiveBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>Bound of the header fields of one call, names and values, in bytes. Default 16 KiB; more: RESOURCE_EXHAUSTED.</summary>
    public int MaxHeaderBytes { get; set; } = 16 * 1024;

    /// <summary>Bound of one sent message before compression, in bytes; null: none.</summary>
    public int? MaxSendBytes { get; set; }

    /// <summary>Replies with gzip to clients that accept it. Default false: on one machine and in one rack it costs more than it saves.</summary>
    public bool CompressReplies { get; set; }

    /// <summary>Asked before each call reaches its handler; a status refuses the call. The peer is in <c>AuthContext</c> and <c>GetUnixPeer()</c>.</summary>
    public Func<ServerCallContext, Status?>? Authorize { get; set; }

    /// <summary>Told the request of each call that takes exactly one, before its handler runs.</summary>
    public Action<ServerCallContext, object>? RequestRead { get; set; }

    /// <summary>Told how each call ended that reached <see cref="Authorize"/>, refused ones too; it must neither throw nor wait.</summary>
    public Action<ServerCallContext, Status>? Ended { get; set; }

    /// <summary>Measures deadlines.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;
}
