namespace Membership.Cli.Tests.Docs;

/// <summary>What the documents tell an operator to type works as they say, with real daemons on loopback addresses; no root needed.</summary>
public sealed class DocumentTests
{
    private static string Document(string name) => File.ReadAllText(Path.Combine(SourceTree.Root, "docs/operating", name));

    private static string Section(string document, string title)
    {
        var begin = document.IndexOf($"{title}\n", StringComparison.Ordinal);
        Assert.True(begin >= 0, $"there is no {title}");
        return document[begin..document.IndexOf("\n## ", begin + title.Length, StringComparison.Ordinal)];
    }

    [Fact]
    public async Task The_first_cluster_is_built_broken_and_repaired_as_written()
    {
        var commands = MarkdownCommands.Read(Document("first-cluster.md"));
        using var machines = new DocumentMachines(["n1", "n2", "n3"], "10.0.0.");

        foreach (var command in commands)
            await machines.RunAsync(command);

        Assert.InRange(commands.Count, 25, 100);
        Assert.Single(commands, static command => command.Picture is not null);
    }

    [Fact]
    public async Task A_cluster_moves_from_corosync_as_written()
    {
        var commands = MarkdownCommands.Read(Document("from-corosync.md"));
        string[] names = ["alpha", "beta", "gamma"];
        using var machines = new DocumentMachines(names, "10.20.0.", "10.21.0.");
        foreach (var machine in names)
            machines.Write(machine, "/etc/corosync/corosync.conf", await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "tests/Cli.Tests/corosync/pcs-three.conf")));

        foreach (var command in MarkdownCommands.Read(Section(Document("first-cluster.md"), "## Install")))
            await machines.RunAsync(command with { Machines = names });
        foreach (var command in commands)
            await machines.RunAsync(command);

        Assert.InRange(commands.Count, 14, 100);
    }

    [Fact]
    public void Commands_are_read_with_their_machines_and_exit_codes()
    {
        var commands = MarkdownCommands.Read("# x\n```sh a b\nmbr status   # exits 2 or 7: why\n\nmbr version # said so\n```\n```text\nno command\n```\n");

        Assert.Equal([(3, "mbr status"), (5, "mbr version")], commands.Select(static command => (command.Line, command.Text)));
        Assert.Equal([2, 7], commands[0].ExitCodes);
        Assert.Equal([0], commands[1].ExitCodes);
        Assert.Equal(["a", "b"], commands[0].Machines);
        Assert.Equal([null, "no command"], commands.Select(static command => command.Picture));
    }

    [Theory]
    [InlineData("```\nmbr status\n```\n")]
    [InlineData("```sh\nmbr status\n```\n")]
    [InlineData("```bash n1\nmbr status\n```\n")]
    public void A_fence_that_nobody_would_run_is_refused(string document)
    {
        Assert.Throws<FormatException>(() => MarkdownCommands.Read(document));
    }
}
