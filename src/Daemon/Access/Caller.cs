using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Membership.Daemon.Configuration;
using Membership.Grpc.Server;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;

namespace Membership.Daemon.Access;

/// <summary>Who calls, by the word of the kernel or of an authority; never by his own.</summary>
internal abstract record Caller
{
    private static readonly ConditionalWeakTable<X509Certificate2, Certificate> Certificates = [];

    private Caller()
    {
    }

    /// <summary>As logs and errors name him; safe for a terminal.</summary>
    public abstract string Identity { get; }

    /// <summary>A process of this machine.</summary>
    public sealed record Process(UnixPeer Peer, IReadOnlyList<uint> Groups) : Caller
    {
        public override string Identity => string.Create(CultureInfo.InvariantCulture, $"uid:{Peer.UserId} pid:{Peer.ProcessId}");
    }

    /// <summary>The holder of a certificate that the configured authorities vouch for.</summary>
    public sealed record Certificate(IReadOnlyList<string> Names) : Caller
    {
        public override string Identity => Names.Count == 0 ? "cert: (without a name)" : $"cert:{Printable.Text(Names[0], NameMax)}";
    }

    /// <summary>Neither is known.</summary>
    public sealed record Stranger : Caller
    {
        public override string Identity => "unknown";
    }

    private const int NameMax = 200;

    /// <summary>The caller of a call.</summary>
    public static Caller Of(ServerCallContext context)
    {
        if (context.GetUnixPeer() is { } peer) return new Process(peer, context.GetUnixGroups());
        if (context.GetClientCertificate() is { } certificate) return Certificates.GetValue(certificate, static found => new Certificate(CertificateNames.Of(found)));
        return new Stranger();
    }
}
