using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Membership.Cli.Errors;
using Membership.Cli.Text;
using Membership.Grpc.Tls;

namespace Membership.Cli.Commands;

/// <summary><c>mbr ca</c>: an authority of one's own in a folder, and certificates of nodes and clients that it vouches for. Never overwrites a file.</summary>
internal static class CaCommands
{
    private const string AuthorityFile = "ca.pem";
    private const string AuthorityKeyFile = "ca.key";
    private const int DaysMax = 36500;

    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary><c>mbr ca init</c></summary>
    public static Command Init(CliHost host)
    {
        var command = new Command("init", "Make an authority: DIR/ca.pem for everybody, DIR/ca.key (mode 0600) for nobody but you.");
        var folder = Folder();
        var name = new Option<string>("--name") { Description = "Name of the authority.", HelpName = "NAME", DefaultValueFactory = static _ => "membership" };
        var days = Days(3650);
        var json = Json();
        foreach (var option in (ReadOnlySpan<Option>)[folder, name, days, json]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            var place = parse.GetRequiredValue(folder);
            var made = CertificateAuthority.Create(parse.GetRequiredValue(name), host.Time.GetUtcNow(), Lifetime(parse, days));
            if (!Directory.Exists(place)) Within(place, () => Directory.CreateDirectory(place, FolderMode));
            var (certificate, key) = (Path.Combine(place, AuthorityFile), Path.Combine(place, AuthorityKeyFile));
            WritePair(key, made, certificate);
            Tell(host, parse.GetValue(json), certificate, key, made, $"Keep {key} away from the nodes: who has it can be anybody.");
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary><c>mbr ca issue</c></summary>
    public static Command Issue(CliHost host)
    {
        var command = new Command("issue", "Make a key and a certificate for a node or a client: NAME.pem and NAME.key (mode 0600) in the authority's folder, or at --out.");
        var holder = new Argument<string>("NAME") { Description = "Common name of the holder: the node's name, or what api.roles calls the client (cert:NAME)." };
        var folder = Folder();
        var node = new Option<bool>("--node") { Description = "For a daemon: it may serve, and call other daemons. Without it: for a client." };
        var names = new Option<string[]>("--san") { Description = "A name clients call the node by (address or DNS name), or a URI or DNS name of a client; several times.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var output = new Option<string?>("--out") { Description = "Where to write, without the endings .pem and .key.", HelpName = "PATH" };
        var days = Days(365);
        var json = Json();
        command.Arguments.Add(holder);
        foreach (var option in (ReadOnlySpan<Option>)[folder, node, names, output, days, json]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            var name = parse.GetRequiredValue(holder);
            var alternatives = parse.GetValue(names) ?? [];
            Check(name, parse.GetValue(node), alternatives);
            using var authority = ReadAuthority(parse.GetRequiredValue(folder));
            var use = parse.GetValue(node) ? CertificateUse.Node : CertificateUse.Client;
            var made = CertificateAuthority.Issue(authority, use, name, alternatives, host.Time.GetUtcNow(), Lifetime(parse, days));
            var at = parse.GetValue(output) ?? Path.Combine(parse.GetRequiredValue(folder), name);
            WritePair($"{at}.key", made, $"{at}.pem");
            Tell(host, parse.GetValue(json), $"{at}.pem", $"{at}.key", made, use == CertificateUse.Node ? "Put both on the node, as api.tls names them." : $"Grant a role with cert:{CertificateNamesOf(made)} in api.roles.");
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary><c>mbr ca list</c></summary>
    public static Command List(CliHost host)
    {
        var command = new Command("list", "List the certificates in the authority's folder, with what they are for and when they end.");
        var folder = Folder();
        var json = Json();
        command.Options.Add(folder);
        command.Options.Add(json);
        command.SetAction(parse =>
        {
            var place = parse.GetRequiredValue(folder);
            string[] files = [];
            Within(place, () => files = [.. Directory.GetFiles(place, "*.pem").Order(StringComparer.Ordinal)]);
            List<(string File, X509Certificate2 Certificate)> found = [.. files.Select(file => (file, Read(file)))];
            if (parse.GetValue(json)) WriteJson(host, found);
            else WriteTable(host, found);
            found.ForEach(static each => each.Certificate.Dispose());
            return ExitCode.Ok;
        });
        return command;
    }

    private static Option<string> Folder() => new("--dir") { Description = "The authority's folder.", HelpName = "DIR", Required = true };

    private static Option<int> Days(int fallback) => new("--days") { Description = $"Days until it ends (default {fallback}).", HelpName = "N", DefaultValueFactory = _ => fallback };

    private static Option<bool> Json() => new("--json") { Description = "Write JSON instead of text." };

    private static TimeSpan Lifetime(ParseResult parse, Option<int> days) => TimeSpan.FromDays(Values.Within(parse, days, 1, DaysMax));

    private static void Check(string name, bool isNode, string[] alternatives)
    {
        if (name.Length is 0 or > 64 || !char.IsAsciiLetterOrDigit(name[0]) || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
            throw new CliException(ErrorCatalogue.BadName, ("option", "NAME"), ("value", name));
        foreach (var each in alternatives)
        {
            if (!CertificateAuthority.IsAlternative(each))
                throw new CliException(ErrorCatalogue.CommandLine, ("problem", $"--san {each} is no address, DNS name or URI"), ("help", "mbr ca issue --help"));
        }
        if (isNode && alternatives.Length == 0)
            throw new CliException(ErrorCatalogue.CommandLine, ("problem", "a node needs --san: the address or name that clients call it by, or they refuse it"), ("help", "mbr ca issue --help"));
    }

    private static X509Certificate2 ReadAuthority(string folder)
    {
        var (certificate, key) = (Path.Combine(folder, AuthorityFile), Path.Combine(folder, AuthorityKeyFile));
        X509Certificate2? authority = null;
        Within(folder, () => authority = X509Certificate2.CreateFromPemFile(certificate, key));
        return authority!;   // Within throws or the file was read
    }

    private static X509Certificate2 Read(string file)
    {
        X509Certificate2? certificate = null;
        Within(file, () => certificate = X509CertificateLoader.LoadCertificateFromFile(file));
        return certificate!;   // Within throws or the file was read
    }

    private static void Within(string file, Action act)
    {
        try
        {
            act();
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CliException(ErrorCatalogue.CannotRead, failed, ("file", file), ("detail", failed.Message));
        }
    }

    // The key first: a certificate whose key could not be written would look as if it were good.
    private static void WritePair(string keyFile, IssuedCertificate made, string certificateFile)
    {
        if (File.Exists(certificateFile)) throw new CliException(ErrorCatalogue.FileExists, ("file", certificateFile));
        NewFile.Write(keyFile, made.KeyPem, NewFile.Secret);
        NewFile.Write(certificateFile, made.CertificatePem, NewFile.Public);
    }

    private static string CertificateNamesOf(IssuedCertificate made)
    {
        using var certificate = X509Certificate2.CreateFromPem(made.CertificatePem);
        return CertificateNames.Of(certificate)[0];   // issued with a common name at least
    }

    private static void Tell(CliHost host, bool json, string certificate, string key, IssuedCertificate made, string next) => host.Out.WriteLine(json
        ? JsonText.Object(writer =>
        {
            writer.WriteString("certificate", Path.GetFullPath(certificate));
            writer.WriteString("key", Path.GetFullPath(key));
            writer.WriteString("not_after", made.NotAfter);
            writer.WriteString("serial", made.SerialNumber);
        })
        : Escape.ForTerminal($"wrote {certificate} and {key} (mode 0600), good until {Date(made.NotAfter)}. {next}"));

    private static void WriteTable(CliHost host, List<(string File, X509Certificate2 Certificate)> found)
    {
        var table = new Table("FILE", "NAMES", "FOR", "UNTIL", "DAYS");
        foreach (var (file, certificate) in found)
        {
            table.Row(new Span(Path.GetFileName(file)), new Span(string.Join(", ", CertificateNames.Of(certificate))), new Span(Use(certificate)),
                new Span(Date(certificate.NotAfter.ToUniversalTime())), new Span(DaysLeft(host, certificate).ToString(CultureInfo.InvariantCulture)));
        }
        var screen = new Screen(host.Terminal);
        table.WriteTo(screen);
        screen.WriteTo(host.Out);
    }

    private static void WriteJson(CliHost host, List<(string File, X509Certificate2 Certificate)> found) => host.Out.WriteLine(JsonText.Object(json =>
    {
        json.WriteStartArray("certificates");
        foreach (var (file, certificate) in found)
        {
            json.WriteStartObject();
            json.WriteString("file", Path.GetFullPath(file));
            json.WriteStartArray("names");
            foreach (var name in CertificateNames.Of(certificate)) json.WriteStringValue(name);
            json.WriteEndArray();
            json.WriteString("use", Use(certificate));
            json.WriteString("not_after", certificate.NotAfter.ToUniversalTime());
            json.WriteNumber("days_left", DaysLeft(host, certificate));
            json.WriteString("serial", certificate.SerialNumber.ToLowerInvariant());
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }));

    private static string Use(X509Certificate2 certificate)
    {
        if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(static each => each.CertificateAuthority)) return "authority";
        var purposes = certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().SelectMany(static each => each.EnhancedKeyUsages.Cast<Oid>()).Select(static each => each.Value);
        return purposes.Contains(TlsIdentity.ServerAuthentication) ? "node" : "client";
    }

    private static int DaysLeft(CliHost host, X509Certificate2 certificate) => (int)Math.Floor((certificate.NotAfter.ToUniversalTime() - host.Time.GetUtcNow().UtcDateTime).TotalDays);

    private static string Date(DateTime utc) => utc.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
