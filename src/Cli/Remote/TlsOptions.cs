using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Grpc.Tls;

namespace Membership.Cli.Remote;

/// <summary>The three options that name the files of mutual TLS, for daemons of other machines; each can come from the environment.</summary>
internal sealed class TlsOptions
{
    private const string CaName = "--tls-ca";
    private const string CertificateName = "--tls-cert";
    private const string KeyName = "--tls-key";

    private readonly Option<string?> _ca = new(CaName) { Description = "Authorities a remote daemon's certificate is checked against, PEM (or MBR_TLS_CA).", HelpName = "FILE" };
    private readonly Option<string?> _certificate = new(CertificateName) { Description = "Your certificate for a remote daemon, PEM (or MBR_TLS_CERT).", HelpName = "FILE" };
    private readonly Option<string?> _key = new(KeyName) { Description = "The private key of that certificate, PEM (or MBR_TLS_KEY).", HelpName = "FILE" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_ca);
        command.Options.Add(_certificate);
        command.Options.Add(_key);
    }

    /// <summary>The files; null when none is named. Some without the others are a usage error.</summary>
    public TlsFiles? Read(CliHost host, ParseResult parse)
    {
        string?[] files =
        [
            Value(parse.GetValue(_ca), host.Environment("MBR_TLS_CA")),
            Value(parse.GetValue(_certificate), host.Environment("MBR_TLS_CERT")),
            Value(parse.GetValue(_key), host.Environment("MBR_TLS_KEY")),
        ];
        if (files is [{ } ca, { } certificate, { } key]) return new TlsFiles { Authorities = ca, Certificate = certificate, Key = key };
        if (files.All(static file => file is null)) return null;
        throw new CliException(ErrorCatalogue.TlsIncomplete, ("missing", Missing(files[0], files[1], files[2])));
    }

    /// <summary>The options that name what is not there.</summary>
    public static string Missing(string? authorities, string? certificate, string? key) => string.Join(
        ", ", new[] { (CaName, authorities), (CertificateName, certificate), (KeyName, key) }.Where(static file => file.Item2 is null).Select(static file => file.Item1));

    private static string? Value(string? option, string? variable) => option is { Length: > 0 } ? option : variable is { Length: > 0 } ? variable : null;
}
