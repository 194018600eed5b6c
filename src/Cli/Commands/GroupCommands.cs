using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Cli.Groups;
using Membership.Cli.Ring;
using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Commands;

/// <summary><c>mbr group</c>: closed process groups, their members and their messages.</summary>
internal static class GroupCommands
{
    /// <summary>Longest name of a group, bytes of UTF-8.</summary>
    public const int NameBytesMax = 255;

    /// <summary>Groups of one page of <c>group list</c>.</summary>
    public const uint PageGroups = 1000;

    /// <summary>Builds <c>group list</c>.</summary>
    public static Command List(CliHost host)
    {
        var command = new Command("list", "List all groups of the cluster with the number of their members.");
        var members = new Option<bool>("--members") { Description = "With the members of each." };
        command.Options.Add(members);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var withMembers = parse.GetValue(members);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var groups = await ReadAsync(context, daemon, withMembers, cancellationToken);
            if (context.Json)
            {
                await host.Out.WriteLineAsync(JsonText.Object(json => Write(json, groups, withMembers)));
                return ExitCode.Ok;
            }
            var names = withMembers ? await NamesAsync(context, daemon, cancellationToken) : [];
            var table = withMembers ? new Table("GROUP", "COUNT", "MEMBERS") : new Table("GROUP", "COUNT");
            foreach (var group in groups)
                table.Row([new Span(group.Name), new Span(group.MemberCount.ToString(CultureInfo.InvariantCulture)),
                    .. withMembers ? [new Span(string.Join(' ', group.Members.Select(member => GroupEventLines.Name(member, names))))] : Array.Empty<Span>()]);
            var screen = new Screen(host.Terminal);
            table.WriteTo(screen);
            screen.WriteTo(host.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Builds <c>group members</c>.</summary>
    public static Command Members(CliHost host)
    {
        var command = new Command("members", "List the members of one group. Exits 4 when nobody is in it.");
        var group = NameArgument();
        command.Arguments.Add(group);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var name = NameOf(parse, group);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var answer = await context.WithinTimeoutAsync("reading the group", token => daemon.Groups.GetAsync(name, token), cancellationToken);
            var members = answer.Group?.Members ?? [];
            if (context.Json)
            {
                await host.Out.WriteLineAsync(JsonText.Object(json =>
                {
                    json.WriteString("group", name);
                    json.WriteNumber("view", answer.View?.Number ?? 0);
                    WriteMembers(json, members);
                }));
                return ExitCode.Ok;
            }
            var names = await NamesAsync(context, daemon, cancellationToken);
            var table = new Table("NODE", "PID", "SESSION");
            foreach (var member in members)
                table.Row(
                    new Span(names.GetValueOrDefault(member.Node, $"#{member.Node}")),
                    new Span(member.Pid > 0 ? member.Pid.ToString(CultureInfo.InvariantCulture) : "remote"),
                    new Span(member.Session.ToString(CultureInfo.InvariantCulture)));
            var screen = new Screen(host.Terminal);
            table.WriteTo(screen);
            screen.WriteTo(host.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Builds <c>group watch</c>.</summary>
    public static Command Watch(CliHost host)
    {
        var command = new Command("watch", "Write every membership change and message of a group in their order, without being in it, until interrupted.");
        var group = NameArgument();
        var count = new Option<long>("--count") { Description = "Stop after that many messages (0: never).", HelpName = "N" };
        var after = new Option<ulong>("--after") { Description = "Go on behind this position of an earlier run (its \"resume\").", HelpName = "POSITION" };
        var boot = new Option<string>("--boot") { Description = "The boot of the daemon that counted the position (its \"boot\"); refused where it has been restarted since.", HelpName = "BOOT" };
        command.Arguments.Add(group);
        command.Options.Add(count);
        command.Options.Add(after);
        command.Options.Add(boot);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var name = NameOf(parse, group);
            var limit = Values.Within(parse, count, 0, long.MaxValue);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            var names = context.Json ? [] : await NamesAsync(context, daemon, cancellationToken);
            var request = new WatchGroupRequest { Group = name, AfterPosition = parse.GetValue(after), Boot = parse.GetValue(boot) ?? "" };
            return await new GroupTail(context, daemon, limit).RunAsync(request, names, cancellationToken);
        });
        return command;
    }

    /// <summary>Builds <c>group send</c>.</summary>
    public static Command Send(CliHost host)
    {
        var command = new Command("send", "Join a group, send messages to it and wait for a receipt of each; the payload comes from standard input or is made.");
        var group = NameArgument();
        command.Arguments.Add(group);
        var options = SendOptions.AddTo(command);
        var common = CommonOptions.AddTo(command);
        common.SetAction(command, host, async (context, parse, cancellationToken) =>
        {
            var name = NameOf(parse, group);
            var plan = await options.ReadAsync(host, parse, cancellationToken);
            await using var daemon = await context.ConnectAsync(cancellationToken);
            return await new RingSend(context, daemon.Socket, plan)
                .RunAsync(async token => await GroupMulticast.OpenAsync(context, daemon, name, token), cancellationToken);
        });
        return command;
    }

    private static Argument<string> NameArgument() => new("GROUP") { Description = $"Name of the group, 1 to {NameBytesMax} bytes without control characters." };

    private static string NameOf(ParseResult parse, Argument<string> argument)
    {
        var name = parse.GetRequiredValue(argument);
        var length = Encoding.UTF8.GetByteCount(name);
        return length is 0 or > NameBytesMax || name.Any(char.IsControl)
            ? throw new CliException(ErrorCatalogue.BadGroupName, ("group", name), ("length", length), ("maximum", NameBytesMax))
            : name;
    }

    private static async Task<List<Group>> ReadAsync(CommandContext context, IDaemon daemon, bool withMembers, CancellationToken cancellationToken)
    {
        var groups = new List<Group>();
        ListGroupsResponse page;
        do
        {
            var request = new ListGroupsRequest { After = groups.Count > 0 ? groups[^1].Name : "", Limit = PageGroups, WithMembers = withMembers };
            page = await context.WithinTimeoutAsync("reading the groups", token => daemon.Groups.ListAsync(request, token), cancellationToken);
            groups.AddRange(page.Groups);
        }
        while (page is { More: true, Groups.Count: > 0 });
        return groups;
    }

    private static async Task<Dictionary<uint, string>> NamesAsync(CommandContext context, IDaemon daemon, CancellationToken cancellationToken) =>
        (await StatusCommand.ReadAsync(context, daemon, cancellationToken)).Nodes.ToDictionary(static node => node.Node, static node => node.Name);

    private static void Write(Utf8JsonWriter json, List<Group> groups, bool withMembers)
    {
        json.WriteStartArray("groups");
        foreach (var group in groups)
        {
            json.WriteStartObject();
            json.WriteString("name", group.Name);
            json.WriteNumber("member_count", group.MemberCount);
            if (withMembers)
                WriteMembers(json, group.Members);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteMembers(Utf8JsonWriter json, IEnumerable<GroupMember> members)
    {
        json.WriteStartArray("members");
        foreach (var member in members)
        {
            json.WriteStartObject();
            json.WriteNumber("node", member.Node);
            json.WriteNumber("pid", member.Pid);
            json.WriteNumber("session", member.Session);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
