namespace Membership.Grpc.Tls;

/// <summary>Where one side of mutual TLS keeps what it is and whom it believes; all three are PEM files.</summary>
public sealed record TlsFiles
{
    /// <summary>The environment variable that names <see cref="Authorities"/>, for <c>mbr</c> and the SDK.</summary>
    public const string AuthoritiesVariable = "MBR_TLS_CA";

    /// <summary>The environment variable that names <see cref="Certificate"/>.</summary>
    public const string CertificateVariable = "MBR_TLS_CERT";

    /// <summary>The environment variable that names <see cref="Key"/>.</summary>
    public const string KeyVariable = "MBR_TLS_KEY";

    /// <summary>Certificates of the authorities that may vouch for the other side; no others are believed.</summary>
    public required string Authorities { get; init; }

    /// <summary>The own certificate, followed by those between it and the authority, if any.</summary>
    public required string Certificate { get; init; }

    /// <summary>The private key of the own certificate; readable by its owner alone.</summary>
    public required string Key { get; init; }

    /// <summary>The files that <see cref="AuthoritiesVariable"/>, <see cref="CertificateVariable"/> and <see cref="KeyVariable"/> name; null unless all three are set.</summary>
    public static TlsFiles? FromEnvironment(Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        string?[] named = [environment(AuthoritiesVariable), environment(CertificateVariable), environment(KeyVariable)];
        return named is [{ Length: > 0 } authorities, { Length: > 0 } certificate, { Length: > 0 } key]
            ? new TlsFiles { Authorities = authorities, Certificate = certificate, Key = key }
            : null;
    }

    internal IEnumerable<string> All => [Authorities, Certificate, Key];
}

/// <summary>A certificate or key cannot be used; the message names the file and the remedy.</summary>
public sealed class TlsFileException(string file, string message, Exception? innerException = null) : IOException(message, innerException)
{
    /// <summary>The file that is to be corrected.</summary>
    public string File { get; } = file;
}
