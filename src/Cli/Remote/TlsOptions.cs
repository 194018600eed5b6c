using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Grpc.Tls;

namespace Membership.Cli.Remote;

/// <summary>The three options that name the files of mutual TLS, for daemons of other machines; each can come from the environment.</summary>
internal sealed class TlsOptions
{
    /// <summary>Option for the authorities.</summary>
    public const string AuthoritiesName = "--tls-ca";

    /// <summary>Option for the certificate.</summary>
    public const string CertificateName = "--tls-cert";

    /// <summary>Option for its key.</summary>
    public const string KeyName = "--tls-key";

    private readonly Option<string?> _authorities = new(AuthoritiesName)
    {
        Description = $"Authorities a remote daemon's certificate is checked against, PEM (or {TlsFiles.AuthoritiesVariable}).",
        HelpName = "FILE",
    };

    private readonly Option<string?> _certificate = new(CertificateName) { Description = $"Your certificate for a remote daemon, PEM (or {TlsFiles.CertificateVariable}).", HelpName = "FILE" };
    private readonly Option<string?> _key = new(KeyName) { Description = $"The private key of that certificate, PEM (or {TlsFiles.KeyVariable}).", HelpName = "FILE" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_authorities);
        command.Options.Add(_certificate);
        command.Options.Add(_key);
    }

    /// <summary>What is named, complete or not: only who opens a connection to another machine needs the files.</summary>
    public NamedTlsFiles Read(CliHost host, ParseResult parse) => new(
        Value(parse.GetValue(_authorities), host.Environment(TlsFiles.AuthoritiesVariable)),
        Value(parse.GetValue(_certificate), host.Environment(TlsFiles.CertificateVariable)),
        Value(parse.GetValue(_key), host.Environment(TlsFiles.KeyVariable)));

    private static string? Value(string? option, string? variable) => option is { Length: > 0 } ? option : variable is { Length: > 0 } ? variable : null;
}

/// <summary>The files of mutual TLS as far as options and environment name them; null: not named.</summary>
internal sealed record NamedTlsFiles(string? Authorities, string? Certificate, string? Key)
{
    /// <summary>All three, for a connection to another machine; a usage error says which are not named.</summary>
    public TlsFiles Require()
    {
        if (this is { Authorities: { } authorities, Certificate: { } certificate, Key: { } key }) return new TlsFiles { Authorities = authorities, Certificate = certificate, Key = key };
        (string Option, string? File)[] files = [(TlsOptions.AuthoritiesName, Authorities), (TlsOptions.CertificateName, Certificate), (TlsOptions.KeyName, Key)];
        throw new CliException(ErrorCatalogue.TlsIncomplete, ("missing", string.Join(", ", files.Where(static file => file.File is null).Select(static file => file.Option))));
    }
}
