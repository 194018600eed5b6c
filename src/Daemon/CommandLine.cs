using System.Net;
using Membership.Daemon.Configuration;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon;

/// <summary>How log lines are written.</summary>
internal enum LogFormat
{
    /// <summary>Time, level, message.</summary>
    Text,

    /// <summary>One JSON object a line.</summary>
    Json,

    /// <summary>Priority prefix, no time: the journal adds its own.</summary>
    Systemd,
}

/// <summary>The command line of membershipd.</summary>
internal sealed record CommandLine
{
    public const string DefaultConfig = "/etc/membership/membership.yaml";
    public const string DefaultStateDirectory = "/var/lib/membership";
    public const string DefaultSocket = "/run/membership/api.sock";
    public const string DefaultWitnessConfig = "/etc/membership/witness.yaml";
    public const string DefaultWitnessStateDirectory = "/var/lib/membership-witness";

    /// <summary>What --help prints.</summary>
    public const string Help = $"""
        usage: membershipd --config FILE --node NAME [options]
               membershipd --check-config [FILE] [--node NAME] [--effective] [--json]
               membershipd --witness [--config FILE] [--state-dir DIR] [--check-config [FILE]]

          --config FILE            configuration, identical on all nodes (default {DefaultConfig})
          --node NAME              which node of the configuration this is (default: the host name)
          --state-dir DIR          this node's memory across restarts (default {DefaultStateDirectory})
          --socket PATH            Unix socket for clients (default {DefaultSocket}, or api.socket of the configuration)
          --page HOST:PORT         address of the HTTP page: /metrics, /livez, /readyz, /healthz (default: api.page of the configuration, else none)
          --log-format FORMAT      text, json or systemd (default: systemd below a service manager, else text)
          --log-level LEVEL        error, warning, information, debug or trace (default information)
          --accept-new-identity    start as a new node although the state directory belongs to another one
          --allow-fault-injection  open the test transport: clients may drop datagrams and freeze this daemon
          --witness                be the witness of clusters on a third site, not a node; its files are
                                   {DefaultWitnessConfig} and {DefaultWitnessStateDirectory}
          --check-config [FILE]    check the configuration and end: 0 = good, 78 = mistakes, all of them printed
          --effective              with --check-config: print every value that applies, derived ones too
          --json                   with --check-config: print JSON
          --version                print the version and end
          --help                   print this and end

        exit codes: 0 left cleanly, 64 usage, 65 bad state directory, 70 internal, 74 input or output, 78 configuration

        """;

    public string ConfigFile { get; private init; } = DefaultConfig;

    /// <summary>Null: the host name.</summary>
    public string? Node { get; private init; }

    public string StateDirectory { get; private init; } = DefaultStateDirectory;

    /// <summary>Null: what the configuration says, or the default.</summary>
    public string? Socket { get; private init; }

    /// <summary>Null: what the configuration says.</summary>
    public IPEndPoint? Page { get; private init; }

    public bool AllowFaultInjection { get; private init; }

    /// <summary>Null: by what standard error is.</summary>
    public LogFormat? LogFormat { get; private init; }

    public LogLevel LogLevel { get; private init; } = LogLevel.Information;

    public bool AcceptNewIdentity { get; private init; }

    public bool ShowVersion { get; private init; }

    public bool ShowHelp { get; private init; }

    public bool CheckConfig { get; private init; }

    /// <summary>Run as a witness: another configuration, another service, no node.</summary>
    public bool Witness { get; private init; }

    public bool Effective { get; private init; }

    public bool Json { get; private init; }

    private static readonly string[] Options =
    [
        "--config", "--node", "--state-dir", "--socket", "--page", "--allow-fault-injection", "--log-format", "--log-level", "--accept-new-identity",
        "--version", "--help", "--check-config", "--effective", "--json", "--witness",
    ];

    /// <summary>What a witness has no use for.</summary>
    private static readonly string[] OfNodes = ["--node", "--socket", "--page", "--allow-fault-injection", "--accept-new-identity", "--effective", "--json"];

    /// <summary>Reads the arguments; <c>--option VALUE</c> and <c>--option=VALUE</c> mean the same.</summary>
    /// <exception cref="StartException">Exit code 64: names the argument and what would be right.</exception>
    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        var line = new CommandLine();
        HashSet<string> seen = [];
        for (var i = 0; i < arguments.Count; i++)
        {
            var equals = arguments[i].StartsWith("--", StringComparison.Ordinal) ? arguments[i].IndexOf('=') : -1;
            var name = equals < 0 ? arguments[i] : arguments[i][..equals];
            var attached = equals < 0 ? null : arguments[i][(equals + 1)..];
            if (!seen.Add(name)) throw Usage($"{Printable.Value(name)} is there twice");
            string Value()
            {
                var value = attached ?? (i + 1 < arguments.Count ? arguments[++i] : null);
                if (string.IsNullOrEmpty(value) || attached is null && value.StartsWith("--", StringComparison.Ordinal)) throw Usage($"{name} needs a value");
                return value;
            }
            var optional = attached ?? (i + 1 < arguments.Count && !arguments[i + 1].StartsWith('-') ? arguments[i + 1] : null);
            if (attached is not null && IsFlag(name)) throw Usage($"{name} takes no value");
            switch (name)
            {
                case "--config": line = line with { ConfigFile = Value() }; break;
                case "--node": line = line with { Node = Value() }; break;
                case "--state-dir": line = line with { StateDirectory = Value() }; break;
                case "--socket": line = line with { Socket = Value() }; break;
                case "--page": line = line with { Page = ParsePage(Value()) }; break;
                case "--log-format": line = line with { LogFormat = ParseFormat(Value()) }; break;
                case "--log-level": line = line with { LogLevel = ParseLevel(Value()) }; break;
                case "--allow-fault-injection": line = line with { AllowFaultInjection = true }; break;
                case "--accept-new-identity": line = line with { AcceptNewIdentity = true }; break;
                case "--version": line = line with { ShowVersion = true }; break;
                case "--help" or "-h": line = line with { ShowHelp = true }; break;
                case "--effective": line = line with { Effective = true }; break;
                case "--json": line = line with { Json = true }; break;
                case "--witness": line = line with { Witness = true }; break;
                case "--check-config":
                    if (optional is not null && attached is null) i++;
                    line = line with { CheckConfig = true, ConfigFile = optional ?? line.ConfigFile };
                    break;
                default: throw Unknown(name);
            }
        }
        if (!line.CheckConfig && (line.Effective || line.Json)) throw Usage($"{(line.Effective ? "--effective" : "--json")} is for --check-config only");
        return line.Witness ? OfWitness(line, seen) : line;
    }

    private static CommandLine OfWitness(CommandLine line, HashSet<string> seen)
    {
        if (OfNodes.FirstOrDefault(seen.Contains) is { } wrong) throw Usage($"{wrong} is for a node, not for --witness");
        if (!seen.Contains("--state-dir")) line = line with { StateDirectory = DefaultWitnessStateDirectory };
        return line.ConfigFile == DefaultConfig && !seen.Contains("--config") ? line with { ConfigFile = DefaultWitnessConfig } : line;
    }

    private static bool IsFlag(string name) =>
        name is "--allow-fault-injection" or "--accept-new-identity" or "--version" or "--help" or "--effective" or "--json" or "--witness";

    private static IPEndPoint ParsePage(string text) =>
        Units.TryEndPoint(text, out var at) && at.Port != 0 ? at : throw Usage($"--page {Printable.Value(text)} is not an address and port like 127.0.0.1:7800");

    private static LogFormat ParseFormat(string text) => text switch
    {
        "text" => Daemon.LogFormat.Text,
        "json" => Daemon.LogFormat.Json,
        "systemd" => Daemon.LogFormat.Systemd,
        _ => throw Usage($"--log-format {Printable.Value(text)} is not text, json or systemd"),
    };

    private static LogLevel ParseLevel(string text) => text switch
    {
        "error" => LogLevel.Error,
        "warning" => LogLevel.Warning,
        "information" or "info" => LogLevel.Information,
        "debug" => LogLevel.Debug,
        "trace" => LogLevel.Trace,
        _ => throw Usage($"--log-level {Printable.Value(text)} is not error, warning, information, debug or trace"),
    };

    private static StartException Unknown(string name)
    {
        var nearest = NearestKey.Of(name, Options);
        return Usage($"{Printable.Value(name)} is not an option{(nearest is null ? "" : $"; did you mean {nearest}?")}");
    }

    private static StartException Usage(string text) => new(ExitCode.Usage, $"membershipd: {text}. See membershipd --help.");
}
