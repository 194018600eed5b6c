using Grpc.Core;

namespace Membership.Daemon.Tests.Services;

/// <summary>Of a call that nobody cancels.</summary>
internal sealed class NoContext : ServerCallContext
{
    protected override string MethodCore => "";

    protected override string HostCore => "";

    protected override string PeerCore => "";

    protected override DateTime DeadlineCore => DateTime.MaxValue;

    protected override Metadata RequestHeadersCore { get; } = [];

    protected override CancellationToken CancellationTokenCore => CancellationToken.None;

    protected override Metadata ResponseTrailersCore { get; } = [];

    protected override Status StatusCore { get; set; }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override IDictionary<object, object> UserStateCore { get; } = new Dictionary<object, object>();

    protected override AuthContext AuthContextCore => throw new NotSupportedException("nobody is authenticated here");

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
}
