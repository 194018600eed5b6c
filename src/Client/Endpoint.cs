using Grpc.Net.Client;
using Membership.Grpc.Unix;

namespace Membership.Client;

/// <summary>Where a daemon listens.</summary>
internal abstract record Endpoint
{
    /// <summary>A message has up to 16 MiB; this leaves room for what surrounds it.</summary>
    private const int MaxReceiveBytes = 17 << 20;

    private Endpoint()
    {
    }

    public static Endpoint Parse(string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        if (text.StartsWith('/')) return new UnixSocket(text);
        if (text.StartsWith("unix:///", StringComparison.Ordinal)) return new UnixSocket(text["unix://".Length..]);
        bool isTcp = Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme == Uri.UriSchemeHttp;
        if (isTcp && address is not null) return new Tcp(address);
        throw new ArgumentException($"'{text}' is no endpoint: write unix:///path/to/api.sock or http://host:port.", nameof(text));
    }

    public abstract GrpcChannel Open(MembershipClientOptions options);

    /// <summary>A socket of this machine; who listens there is checked before anything is sent.</summary>
    public sealed record UnixSocket(string Path) : Endpoint
    {
        public override GrpcChannel Open(MembershipClientOptions options) =>
            UnixChannel.Open(Path, options.TrustedServerUsers, MaxReceiveBytes);
    }

    /// <summary>HTTP/2 without TLS.</summary>
    public sealed record Tcp(Uri Address) : Endpoint
    {
        public override GrpcChannel Open(MembershipClientOptions options) =>
            GrpcChannel.ForAddress(Address, new GrpcChannelOptions { MaxReceiveMessageSize = MaxReceiveBytes });
    }
}
