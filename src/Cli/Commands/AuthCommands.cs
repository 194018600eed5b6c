using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr auth</c>: who one is to a daemon, and what one may do.</summary>
internal static class AuthCommands
{
    // What a verb calls; where it makes several calls, the one that needs the highest role.
    private static readonly Dictionary<string, string> Verbs = new(StringComparer.Ordinal)
    {
        ["status"] = "MembershipService/GetStatus",
        ["watch"] = "MembershipService/WatchViews",
        ["node list"] = "MembershipService/GetStatus",
        ["node stop"] = "AdminService/Leave",
        ["link list"] = "MembershipService/GetStatus",
        ["link matrix"] = "MembershipService/GetStatus",
        ["view list"] = "MembershipService/WatchViews",
        ["ring tail"] = "MembershipService/Subscribe",
        ["ring send"] = "MembershipService/Multicast",
        ["quorum status"] = "QuorumService/GetQuorum",
        ["quorum watch"] = "QuorumService/WatchQuorum",
        ["quorum set-expected"] = "AdminService/SetExpectedVotes",
        ["quorum set-votes"] = "AdminService/SetVotes",
        ["quorum cancel-wait-for-all"] = "AdminService/CancelWaitForAll",
        ["group list"] = "GroupService/ListGroups",
        ["group members"] = "GroupService/GetGroup",
        ["group watch"] = "GroupService/WatchGroup",
        ["group send"] = "GroupService/Session",
        ["auth whoami"] = "AdminService/WhoAmI",
    };

    /// <summary><c>mbr auth whoami</c></summary>
    public static Command WhoAmI(CliHost host)
    {
        var command = new Command("whoami", "Show who you are to the daemon, with which role, and which rule gave it.");
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, _, cancellationToken) =>
        {
            var answer = await AskAsync(context, "", cancellationToken);
            await host.Out.WriteLineAsync(context.Json
                ? JsonText.Object(json =>
                {
                    json.WriteString("identity", answer.Identity);
                    json.WriteString("role", Word(answer.Role));
                    json.WriteString("because", answer.Because);
                })
                : Escape.ForTerminal($"{answer.Identity} has the role {Word(answer.Role)}: {answer.Because}"));
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary><c>mbr auth can-i</c></summary>
    public static Command CanI(CliHost host)
    {
        var command = new Command("can-i", "Tell whether you may make a call or use a command; exit code 0 if you may, 5 if not.");
        var what = new Argument<string[]>("METHOD|VERB") { Description = "A method like AdminService/SetVotes, or a command like: node stop.", Arity = ArgumentArity.OneOrMore };
        command.Arguments.Add(what);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var method = MethodOf(string.Join(' ', parse.GetRequiredValue(what)));
            var answer = await AskAsync(context, method, cancellationToken);
            await host.Out.WriteLineAsync(context.Json
                ? JsonText.Object(json =>
                {
                    json.WriteBoolean("allowed", answer.Allowed);
                    json.WriteString("method", method);
                    json.WriteString("needed", Word(answer.Needed));
                    json.WriteString("identity", answer.Identity);
                    json.WriteString("role", Word(answer.Role));
                    json.WriteString("because", answer.Because);
                })
                : Escape.ForTerminal($"{(answer.Allowed ? "yes" : "no")}: {method} needs the role {Word(answer.Needed)}; {answer.Identity} has the role {Word(answer.Role)} ({answer.Because})"));
            return answer.Allowed ? ExitCode.Ok : ExitCode.Denied;
        });
        return command;
    }

    /// <summary>The full name of a method by its name, short name, or the command that calls it.</summary>
    internal static string MethodOf(string text)
    {
        var method = Verbs.GetValueOrDefault(text, text);
        var slash = method.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
            throw new CliException(ErrorCatalogue.CommandLine, ("problem", $"\"{text}\" is neither a method like AdminService/SetVotes nor a command that calls one"), ("help", "mbr auth can-i --help"));
        return method[..slash].Contains('.', StringComparison.Ordinal) ? method : $"membership.v1.{method}";
    }

    private static async Task<WhoAmIResponse> AskAsync(CommandContext context, string method, CancellationToken cancellationToken)
    {
        await using var daemon = await context.ConnectAsync(cancellationToken);
        return await context.WithinTimeoutAsync("asking who you are", token => daemon.Admin.WhoAmIAsync(new WhoAmIRequest { Can = method }, token), cancellationToken);
    }

    private static string Word(Role role) => role == Role.Unspecified ? "none" : role.ToString().ToLowerInvariant();
}
