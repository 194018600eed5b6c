using System.CommandLine;
using System.Text;
using Membership.Cli;
using Membership.Cli.Commands;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Text;
using Membership.Client;
using Membership.Daemon;
using Membership.Daemon.Configuration;
using Membership.Fuzz.Engine;

namespace Membership.Fuzz.Targets;

/// <summary>Values with units in the configuration. First byte: duration, size, address and port, address.</summary>
internal sealed class UnitsTarget : Target
{
    public override string Name => "configuration/units";

    public override IReadOnlyList<string> Reasons { get; } = ["duration", "no duration", "size", "no size", "address and port", "no address and port", "address", "no address"];

    public override bool IsText => true;

    public override int LengthMax => 128;

    // A letter is two bytes in a string, and addresses are objects.
    public override long AllocationMax(int length) => (64L * length) + 4096;

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[] { "us", "ms", "s", "m", "h", "B", "KiB", "MiB", "GiB", ".", "0", "9223372036854775807", "79228162514264337593543950335", "[", "]", ":", "%eth0", "::", "fd00::1" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        foreach (var (name, text) in new[]
        {
            ("duration", "0250ms"), ("duration-fraction", "01.5s"), ("no-duration", "0fast"), ("size", "164KiB"), ("no-size", "164kb"), ("end-point", "210.0.0.1:5405"), ("end-point-6", "2[fd00::1]:5405"),
            ("no-end-point", "2localhost:80"), ("address", "310.0.0.1"), ("address-6", "3fe80::1%eth0"), ("no-address", "310.1"),
        }) yield return Yaml.Text(name, text);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        var text = Encoding.UTF8.GetString(input[1..]);
        switch ((input[0] - '0') & 3)
        {
            case 0:
                if (!Units.TryDuration(text, out var duration)) return 1;
                return Units.TryDuration(Units.Text(duration), out var again) && again == duration ? 0 : throw new BrokenPromiseException("a duration is written otherwise than it is read");
            case 1:
                if (!Units.TrySize(text, out var size)) return 3;
                return Units.TrySize(Units.Text(size), out var same) && same == size ? 2 : throw new BrokenPromiseException("a size is written otherwise than it is read");
            case 2: return Units.TryEndPoint(text, out _) ? 4 : 5;
            default: return Units.TryAddress(text, out _) ? 6 : 7;
        }
    }
}

/// <summary>Values of mbr's options. First byte: duration, size, list of nodes.</summary>
internal sealed class DurationTarget : Target
{
    public override string Name => "cli/values";

    public override IReadOnlyList<string> Reasons { get; } = ["duration", "no duration", "size", "no size, or out of range", "nodes", "no nodes"];

    public override bool IsText => true;

    public override int LengthMax => 256;

    // What is wrong is told as an exception with value and remedy.
    public override long AllocationMax(int length) => (64L * length) + (64 * 1024);

    public override int RateMin => 5_000;

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[] { "us", "ms", "s", "m", "h", "kB", "KiB", "MiB", "MB", "n1=10.0.0.1:5405", ",", "+", "=", "[fd00::1]:1" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        foreach (var (name, text) in new[]
        {
            ("duration", "0500ms"), ("duration-plain", "03"), ("no-duration", "0soon"), ("size", "116KiB"), ("too-large", "1999MiB"), ("no-size", "1big"), ("nodes", "2n1=10.0.0.1:5405,n2=10.0.0.2:5405"),
            ("two-links", "2n1=10.0.0.1+10.1.0.1,n2=10.0.0.2+10.1.0.2"), ("no-nodes", "2n1"), ("twice", "2n1=10.0.0.1,n1=10.0.0.2"),
        }) yield return Yaml.Text(name, text);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        var text = Encoding.UTF8.GetString(input[1..]);
        try
        {
            switch ((input[0] - '0') % 3)
            {
                case 0:
                    if (!Durations.TryParse(text, out var duration)) return 1;
                    _ = Durations.Format(duration);
                    return duration >= TimeSpan.Zero ? 0 : throw new BrokenPromiseException("a duration below zero");
                case 1:
                    var size = Values.Size("--size", text, 0, 1 << 20);
                    return size is >= 0 and <= 1 << 20 ? 2 : throw new BrokenPromiseException("a size beyond its limits");
                default:
                    return ConfigInitCommand.Parse(text).Count > 0 ? 4 : throw new BrokenPromiseException("a list without nodes");
            }
        }
        catch (CliException)
        {
            return (input[0] - '0') % 3 == 1 ? 3 : 5;
        }
    }
}

/// <summary>The command line of membershipd; arguments are lines.</summary>
internal sealed class DaemonArgumentsTarget : Target
{
    public override string Name => "daemon/arguments";

    public override IReadOnlyList<string> Reasons { get; } = ["taken", "usage"];

    public override bool IsText => true;

    public override int LengthMax => 256;

    // The nearest known option is looked for, and what is wrong is an exception.
    public override long AllocationMax(int length) => (64L * length) + (32 * 1024);

    public override int RateMin => 5_000;

    public override int Weight => 4;

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[]
    {
        "--config", "--node", "--state-dir", "--socket", "--page", "--log-format", "--log-level", "--accept-new-identity", "--allow-fault-injection", "--witness", "--check-config", "--effective", "--json", "--version", "--help",
        "=", "\n", "text", "json", "systemd", "debug", "127.0.0.1:7800", "--",
    }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        yield return Yaml.Text("usual", "--config\n/etc/m.yaml\n--node\nn1");
        yield return Yaml.Text("attached", "--config=/etc/m.yaml\n--log-format=json\n--page=127.0.0.1:7800");
        yield return Yaml.Text("check", "--check-config\nfile\n--effective\n--json");
        yield return Yaml.Text("witness", "--witness\n--config\nw.yaml");
        yield return Yaml.Text("twice", "--node\na\n--node\nb");
        yield return Yaml.Text("unknown", "--nodes\na");
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        try
        {
            _ = Daemon.CommandLine.Parse(Encoding.UTF8.GetString(input).Split('\n'));
            return 0;
        }
        catch (StartException usage)
        {
            return usage.ExitCode == Daemon.ExitCode.Usage ? 1 : throw new BrokenPromiseException($"exit code {usage.ExitCode}");
        }
    }
}

/// <summary>The command line of mbr, up to where a command would run; arguments are lines.</summary>
internal sealed class CliArgumentsTarget : Target
{
    private static readonly ParserConfiguration Parser = new() { ResponseFileTokenReplacer = null };

    private readonly RootCommand _root = Mbr.Build(new CliHost(Stream.Null, Stream.Null, Stream.Null) { Connector = new NoConnector() });

    public override string Name => "cli/arguments";

    public override IReadOnlyList<string> Reasons { get; } = ["a command", "refused"];

    public override bool IsText => true;

    public override int LengthMax => 200;

    // System.CommandLine makes a tree of results for each line.
    public override long AllocationMax(int length) => (4096L * length) + (512 * 1024);

    public override int RateMin => 0;

    public override int Weight => 2;

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[]
    {
        "status", "node", "list", "stop", "link", "matrix", "quorum", "set-votes", "group", "send", "ring", "tail", "bench", "key", "generate", "config", "init", "import", "--json", "--socket", "--timeout", "--size", "--nodes", "=", "\n", "--", "[", "@file",
    }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        yield return Yaml.Text("status", "status\n--json");
        yield return Yaml.Text("send", "ring\nsend\n--size\n16KiB");
        yield return Yaml.Text("init", "config\ninit\n--nodes\nn1=10.0.0.1:5405\n--cluster\nweb");
        yield return Yaml.Text("unknown", "frobnicate");
        yield return Yaml.Text("bench", "bench\nring\n--size=1KiB");
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var parse = _root.Parse(Encoding.UTF8.GetString(input).Split('\n'), Parser);
        return parse.Errors.Count == 0 ? 0 : 1;
    }

    private sealed class NoConnector : IDaemonConnector
    {
        public Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken) => throw new BrokenPromiseException("parsing connects");
    }
}

/// <summary>Where a client finds a daemon.</summary>
internal sealed class EndpointTarget : Target
{
    public override string Name => "client/endpoint";

    public override IReadOnlyList<string> Reasons { get; } = ["socket", "with TLS", "without TLS", "refused"];

    public override bool IsText => true;

    public override int LengthMax => 200;

    // A byte that is no UTF-8 becomes one character, which a Uri writes as nine (%EF%BF%BD): 18 bytes, held in the text, its parts and the builders between.
    public override long AllocationMax(int length) => (256L * length) + 4096;

    public override int RateMin => 10_000;

    public override int Weight => 3;

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[] { "unix://", "/run/", "https://", "http://", ":", "[::1]", "//", "?", "#", "@", "%2f", "\\" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        yield return Yaml.Text("path", "/run/membership/api.sock");
        yield return Yaml.Text("unix", "unix:///run/membership/api.sock");
        yield return Yaml.Text("tls", "https://10.0.0.1:7801");
        yield return Yaml.Text("plain", "http://[::1]:7801");
        yield return Yaml.Text("wrong", "tcp:10.0.0.1");
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (!Endpoint.TryParse(Encoding.UTF8.GetString(input), out var endpoint, out var mistake)) return mistake.Length > 0 ? 3 : throw new BrokenPromiseException("refused without a word");
        return endpoint switch { Endpoint.UnixSocket => 0, Endpoint.Tls => 1, _ => 2 };
    }
}
