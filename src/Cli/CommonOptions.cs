using System.CommandLine;
using Membership.Cli.Remote;

namespace Membership.Cli;

/// <summary>The options every command that talks to a daemon has, and how an action of a command is wrapped.</summary>
internal sealed class CommonOptions
{
    /// <summary>Where a daemon listens when neither --socket nor MBR_SOCKET says otherwise.</summary>
    public const string DefaultSocket = "/run/membership/api.sock";

    /// <summary>How long an answer may take by default.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Longest time limit that can be asked for.</summary>
    public static readonly TimeSpan TimeoutMax = TimeSpan.FromHours(24);

    private CommonOptions()
    {
    }

    /// <summary>--json</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "Write JSON (numbers as numbers, one object) instead of text." };

    /// <summary>--socket PATH</summary>
    public Option<string?> Socket { get; } = new("--socket")
    {
        Description = $"The daemon's Unix socket, or https://HOST:PORT of another machine's (or MBR_SOCKET; default {DefaultSocket}).",
        HelpName = "PATH",
    };

    /// <summary>--tls-ca, --tls-cert, --tls-key</summary>
    public TlsOptions Tls { get; } = new();

    /// <summary>--timeout DURATION</summary>
    public Option<string> Timeout { get; } = new("--timeout")
    {
        Description = "How long the daemon may take to answer.",
        HelpName = "DURATION",
        DefaultValueFactory = static _ => "3s",
    };

    /// <summary>Adds the options to a command.</summary>
    public static CommonOptions AddTo(Command command)
    {
        var options = new CommonOptions();
        command.Options.Add(options.Json);
        command.Options.Add(options.Socket);
        command.Options.Add(options.Timeout);
        options.Tls.AddTo(command);
        return options;
    }

    /// <summary>Makes <paramref name="action"/> what the command does. Its errors are thrown and written by <see cref="Mbr"/>.</summary>
    public void SetAction(
        Command command, CliHost host, Func<CommandContext, ParseResult, CancellationToken, Task<int>> action) =>
        command.SetAction((parse, cancellationToken) => action(Context(host, parse), parse, cancellationToken));

    private CommandContext Context(CliHost host, ParseResult parse)
    {
        var socket = parse.GetValue(Socket) ?? host.Environment("MBR_SOCKET");
        var timeout = Values.Duration(parse, Timeout, TimeSpan.FromMilliseconds(1), TimeoutMax);
        return new CommandContext(host, socket is { Length: > 0 } ? socket : DefaultSocket, timeout, parse.GetValue(Json))
        {
            Tls = Tls.Read(host, parse),
        };
    }
}
