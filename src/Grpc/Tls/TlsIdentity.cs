using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Membership.Grpc.Tls;

/// <summary>One side of mutual TLS as read from its files: the own certificate with its key, and the authorities it believes.</summary>
/// <remarks>TLS 1.3 only, no session tickets (each handshake checks the certificate anew), no look-up over the network. Safe for several threads.</remarks>
public sealed class TlsIdentity
{
    /// <summary>Of a PEM file; more is no certificate.</summary>
    private const int FileBytesMax = 1 << 20;

    private readonly X509Certificate2Collection _authorities;
    private readonly SslStreamCertificateContext _context;

    private TlsIdentity(X509Certificate2 certificate, X509Certificate2Collection chain, X509Certificate2Collection authorities)
    {
        Certificate = certificate;
        _authorities = authorities;
        _context = SslStreamCertificateContext.Create(certificate, chain, offline: true);
        ExpiresAt = authorities.Concat([certificate]).Min(each => each.NotAfter).ToUniversalTime();
    }

    /// <summary>The own certificate.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>When the first of the own certificate and the authorities ends, in UTC.</summary>
    public DateTime ExpiresAt { get; }

    /// <summary>Reads the three files.</summary>
    /// <exception cref="TlsFileException">One of them cannot be used.</exception>
    public static TlsIdentity Load(TlsFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var authorities = ReadCertificates(files.Authorities);
        var chain = ReadCertificates(files.Certificate);
        CheckMode(files.Key);
        var key = Read(files.Key);
        try
        {
            var own = X509Certificate2.CreateFromPem(Read(files.Certificate), key);
            chain.RemoveAt(0);   // the first certificate of the file is the own one
            return new TlsIdentity(own, chain, authorities);
        }
        catch (Exception unusable) when (unusable is CryptographicException or ArgumentException)
        {
            throw new TlsFileException(files.Key, $"{files.Key}: is not the private key, in PEM, of the certificate in {files.Certificate}: {unusable.Message} Give the two that were made together.", unusable);
        }
    }

    /// <summary>For a server: the client must have a certificate that the authorities vouch for.</summary>
    /// <param name="check">Told what is wrong with the client's certificate, or None; what it returns decides.</param>
    public SslServerAuthenticationOptions ServerOptions(RemoteCertificateValidationCallback check) => new()
    {
        ServerCertificateContext = _context,
        ClientCertificateRequired = true,
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = Policy(),
        AllowTlsResume = false,
        AllowRenegotiation = false,
        EncryptionPolicy = EncryptionPolicy.RequireEncryption,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        RemoteCertificateValidationCallback = check,
    };

    /// <summary>For a client: the server must have a certificate for <paramref name="host"/> that the authorities vouch for.</summary>
    public SslClientAuthenticationOptions ClientOptions(string host) => new()
    {
        TargetHost = host,
        ClientCertificateContext = _context,
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = Policy(),
        AllowTlsResume = false,
        AllowRenegotiation = false,
        EncryptionPolicy = EncryptionPolicy.RequireEncryption,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
    };

    /// <summary>True when the authorities still vouch for a client's certificate, now.</summary>
    public bool Vouches(X509Certificate2 client)
    {
        ArgumentNullException.ThrowIfNull(client);
        using var chain = new X509Chain { ChainPolicy = Policy() };
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        return chain.Build(client);
    }

    /// <summary>RFC 5280, 4.2.1.12: id-kp-serverAuth.</summary>
    public const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>RFC 5280, 4.2.1.12: id-kp-clientAuth.</summary>
    public const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    // SslStream adds the purpose (server or client authentication) to the policy by itself.
    private X509ChainPolicy Policy()
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(_authorities);
        return policy;
    }

    private static X509Certificate2Collection ReadCertificates(string file)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(Read(file));
        }
        catch (CryptographicException unusable)
        {
            throw new TlsFileException(file, $"{file}: holds something that is no certificate: {unusable.Message} Give a PEM file.", unusable);
        }
        if (certificates.Count == 0)
            throw new TlsFileException(file, $"{file}: holds no certificate in PEM (a block that begins with -----BEGIN CERTIFICATE-----). Give such a file.");
        return certificates;
    }

    private static string Read(string file)
    {
        try
        {
            if (new FileInfo(file) is { Exists: true, Length: > FileBytesMax })
                throw new TlsFileException(file, $"{file}: is larger than {FileBytesMax} bytes. Is it a PEM file?");
            return System.IO.File.ReadAllText(file);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TlsFileException(file, $"{file}: does not exist. Make one with mbr ca issue, or correct the path.", missing);
        }
        catch (Exception failed) when (failed is UnauthorizedAccessException or IOException and not TlsFileException)
        {
            throw new TlsFileException(file, $"{file}: cannot be read: {failed.Message} Check its owner and mode: ls -l {file}", failed);
        }
    }

    private static void CheckMode(string key)
    {
        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if (OperatingSystem.IsWindows() || !System.IO.File.Exists(key)) return;
        var mode = System.IO.File.GetUnixFileMode(key);
        if ((mode & Others) != 0)
            throw new TlsFileException(key, $"{key}: the private key has mode {Convert.ToString((int)mode, 8).PadLeft(4, '0')}, so that others than its owner may use it. Run: chmod 0600 {key}");
    }
}
