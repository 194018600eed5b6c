using System.Diagnostics.CodeAnalysis;
using Grpc.Net.Client;
using Membership.Grpc.Tls;
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

    /// <exception cref="ArgumentException">The text is not understood.</exception>
    public static Endpoint Parse(string text) =>
        TryParse(text, out var endpoint, out string? mistake) ? endpoint : throw new ArgumentException(mistake, nameof(text));

    public static bool TryParse(string? text, [NotNullWhen(true)] out Endpoint? endpoint, [NotNullWhen(false)] out string? mistake)
    {
        endpoint = null;
        mistake = null;
        text ??= "";
        if (text.StartsWith('/')) endpoint = new UnixSocket(text);
        else if (text.StartsWith("unix:///", StringComparison.Ordinal)) endpoint = new UnixSocket(text["unix://".Length..]);
        else if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme == Uri.UriSchemeHttp) endpoint = new Tcp(address);
        else if (address is not null && address.Scheme == Uri.UriSchemeHttps) endpoint = new Tls(address);
        else mistake = $"'{text}' is no endpoint: write unix:///path/to/api.sock or https://host:port.";
        return endpoint is not null;
    }

    public abstract GrpcChannel Open(MembershipClientOptions options);

    /// <summary>A socket of this machine; who listens there is checked before anything is sent.</summary>
    public sealed record UnixSocket(string Path) : Endpoint
    {
        public override GrpcChannel Open(MembershipClientOptions options) =>
            UnixChannel.Open(Path, options.TrustedServerUsers, MaxReceiveBytes);
    }

    /// <summary>Mutual TLS with a daemon of another machine.</summary>
    public sealed record Tls(Uri Address) : Endpoint
    {
        public override GrpcChannel Open(MembershipClientOptions options) =>
            TlsChannel.Open(Address, options.Tls ?? throw new ArgumentException($"The endpoint {Address} needs certificates: set {nameof(MembershipClientOptions.Tls)}."), MaxReceiveBytes);
    }

    /// <summary>HTTP/2 without TLS.</summary>
    public sealed record Tcp(Uri Address) : Endpoint
    {
        public override GrpcChannel Open(MembershipClientOptions options) =>
            GrpcChannel.ForAddress(Address, new GrpcChannelOptions { MaxReceiveMessageSize = MaxReceiveBytes });
    }
}
