using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Membership.Grpc.Tls;

/// <summary>What a certificate may be used for.</summary>
public enum CertificateUse
{
    /// <summary>A daemon: it serves, and calls other daemons.</summary>
    Node,

    /// <summary>A program or person that calls daemons.</summary>
    Client,
}

/// <summary>A certificate with its private key, both as PEM text.</summary>
public sealed record IssuedCertificate(string CertificatePem, string KeyPem, DateTime NotAfter, string SerialNumber);

/// <summary>Makes authorities and certificates for mutual TLS: ECDSA over P-256 with SHA-256, everything else as TLS 1.3 wants it.</summary>
public static class CertificateAuthority
{
    // Clocks of machines differ; a certificate that begins in the future is refused.
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);
    private const int SerialBytes = 16;

    /// <summary>A new authority that signs itself and may vouch for nodes and clients, not for other authorities.</summary>
    public static IssuedCertificate Create(string name, DateTimeOffset now, TimeSpan lifetime)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Subject(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var certificate = request.CreateSelfSigned(now - ClockSkew, now + lifetime);
        return Pem(certificate, key);
    }

    /// <summary>A new key and a certificate for it that the authority vouches for; it ends with the authority at the latest.</summary>
    /// <param name="authority">With its private key.</param>
    /// <param name="use">What the holder may do.</param>
    /// <param name="name">Common name of the holder.</param>
    /// <param name="alternatives">Addresses, URIs and DNS names of the holder; clients check a node's against the host they call.</param>
    /// <param name="now">The certificate begins a little before.</param>
    /// <param name="lifetime">Until it ends.</param>
    public static IssuedCertificate Issue(
        X509Certificate2 authority, CertificateUse use, string name, IEnumerable<string> alternatives, DateTimeOffset now, TimeSpan lifetime)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(alternatives);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Subject(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        var purposes = new OidCollection { new Oid(TlsIdentity.ClientAuthentication) };
        if (use == CertificateUse.Node) purposes.Add(new Oid(TlsIdentity.ServerAuthentication));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(purposes, critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (Alternatives(alternatives) is { } names) request.CertificateExtensions.Add(names);

        var begin = Later(now - ClockSkew, authority.NotBefore);
        var end = now + lifetime < authority.NotAfter ? now + lifetime : new DateTimeOffset(authority.NotAfter);
        using var certificate = request.Create(authority, begin, end, Serial());
        return Pem(certificate, key);
    }

    /// <summary>True for what <see cref="Issue"/> takes as an alternative name: an address, a URI with a scheme, or a DNS name.</summary>
    public static bool IsAlternative(string text) =>
        IPAddress.TryParse(text, out _) || IsUri(text) || Uri.CheckHostName(text) == UriHostNameType.Dns;

    private static bool IsUri(string text) => text.Contains("://", StringComparison.Ordinal) && Uri.TryCreate(text, UriKind.Absolute, out _) && text.All(char.IsAscii);

    private static X509Extension? Alternatives(IEnumerable<string> names)
    {
        var builder = new SubjectAlternativeNameBuilder();
        var any = false;
        foreach (var name in names)
        {
            any = true;
            if (IPAddress.TryParse(name, out var address)) builder.AddIpAddress(address);
            else if (IsUri(name)) builder.AddUri(new Uri(name));
            else builder.AddDnsName(name);
        }
        return any ? builder.Build() : null;
    }

    private static X500DistinguishedName Subject(string name)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName(name);
        return subject.Build();
    }

    // RFC 5280, 4.1.2.2: positive, at most 20 bytes, not to be guessed.
    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(SerialBytes);
        serial[0] = (byte)(serial[0] & 0x7f | 0x40);
        return serial;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTime b) => a > b ? a : new DateTimeOffset(b);

    private static IssuedCertificate Pem(X509Certificate2 certificate, ECDsa key) => new(
        certificate.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n", certificate.NotAfter.ToUniversalTime(), certificate.SerialNumber.ToLower(CultureInfo.InvariantCulture));
}
