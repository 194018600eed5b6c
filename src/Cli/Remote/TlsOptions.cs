using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Grpc.Tls;

namespace Membership.Cli.Remote;

/// <summary>The three options that name the files of mutual TLS, for daemons of other machines; each can come from the environment.</summary>
internal sealed class TlsOptions
{
    private readonly Option<string?> _ca = new("--tls-ca") { Description = "Authorities a remote daemon's certificate is checked against, PEM (or MBR_TLS_CA).", HelpName = "FILE" };
    private readonly Option<string?> _certificate = new("--tls-cert") { Description = "Your certificate for a remote daemon, PEM (or MBR_TLS_CERT).", HelpName = "FILE" };
    private readonly Option<string?> _key = new("--tls-key") { Description = "The private key of that certificate, PEM (or MBR_TLS_KEY).", HelpName = "FILE" };

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
        string[] names = [_ca.Name, _certificate.Name, _key.Name];
        throw new CliException(ErrorCatalogue.TlsIncomplete, ("missing", string.Join(", ", names.Where((_, index) => files[index] is null))));
    }

    private static string? Value(string? option, string? variable) => option is { Length: > 0 } ? option : variable is { Length: > 0 } ? variable : null;
}
