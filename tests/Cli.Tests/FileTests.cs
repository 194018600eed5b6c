namespace Membership.Cli.Tests;

/// <summary>Keys and configurations: what is written, and that nothing is ever overwritten.</summary>
public sealed class FileTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private static Task<MbrRun> Run(params string[] arguments) => MbrRun.Of(new FakeConnector(), arguments);

    [Fact]
    public async Task A_key_file_has_one_active_key_and_mode_0600()
    {
        var run = await Run("key", "generate", "--out", _scratch["web.key"]);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scratch["web.key"]));
        var words = Keys(_scratch["web.key"]).Single().Split(' ');
        Assert.Equal(["1", "active"], words[..2]);
        Assert.Equal(32, Convert.FromBase64String(words[2]).Length);
        Assert.DoesNotContain(words[2], run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_existing_file_is_never_overwritten()
    {
        await File.WriteAllTextAsync(_scratch["web.key"], "precious");

        var run = await Run("key", "generate", "--out", _scratch["web.key"]);

        Assert.Equal(74, run.ExitCode);
        Assert.Contains("MB1601", run.Error, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(_scratch["web.key"]));
    }

    [Fact]
    public async Task Old_keys_stay_accepted_and_the_new_one_gets_the_next_number()
    {
        await Run("key", "generate", "--out", _scratch["1"]);
        await Run("key", "generate", "--out", _scratch["2"], "--accepted", _scratch["1"]);

        var run = await Run("key", "generate", "--out", _scratch["3"], "--accepted", _scratch["1"], _scratch["2"], "--json");

        Assert.Equal(3, run.Json.GetProperty("active").GetInt32());
        Assert.Equal(["3 active", "1 accepted", "2 accepted"], Keys(_scratch["3"]).Select(static line => line[..line.LastIndexOf(' ')]));
        Assert.Equal(Keys(_scratch["1"]).Single().Split(' ')[2], Keys(_scratch["3"])[1].Split(' ')[2]);
    }

    [Fact]
    public async Task Two_different_keys_of_one_number_are_refused()
    {
        await Run("key", "generate", "--out", _scratch["1"]);
        await Run("key", "generate", "--out", _scratch["other"]);

        var merged = await Run("key", "generate", "--out", _scratch["2"], "--accepted", _scratch["1"], _scratch["other"]);
        var taken = await Run("key", "generate", "--out", _scratch["2"], "--accepted", _scratch["1"], "--id", "1");

        Assert.Equal((64, 64), (merged.ExitCode, taken.ExitCode));
        Assert.Contains("MB1010", merged.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_scratch["2"]));
    }

    [Theory]
    [InlineData("1 active", "2 words instead of three")]
    [InlineData("0 active AAAA", "not a number from 1 to 255")]
    [InlineData("1 secret AAAA", "neither active nor accepted")]
    [InlineData("1 active AAAA", "not base64 of 32 bytes")]
    public async Task A_damaged_key_file_is_named_with_its_line_and_without_its_secret(string line, string problem)
    {
        await File.WriteAllTextAsync(_scratch["old"], "# comment\n" + line + "\n");

        var run = await Run("key", "generate", "--out", _scratch["new"], "--accepted", _scratch["old"]);

        Assert.Equal(65, run.ExitCode);
        Assert.Contains($"MB1604 {_scratch["old"]}:2: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(problem, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("AAAA", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_scratch["new"]));
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_or_written_is_exit_74()
    {
        var read = await Run("key", "generate", "--out", _scratch["new"], "--accepted", _scratch["missing"]);
        var written = await Run("key", "generate", "--out", _scratch["no/such/folder"]);
        var shown = await Run("config", "show", _scratch["missing"]);

        Assert.Equal((74, 74, 74), (read.ExitCode, written.ExitCode, shown.ExitCode));
        Assert.Contains("MB1603", read.Error, StringComparison.Ordinal);
        Assert.Contains("MB1602", written.Error, StringComparison.Ordinal);
        Assert.Contains("MB1603", shown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_init_writes_a_configuration_and_its_key()
    {
        var run = await Run("config", "init", "--cluster", "web", "--out", _scratch.Folder, "--nodes", "n1=10.0.0.1:5405+192.168.1.1:5405,n2=10.0.0.2+[fd00::2]:5406");

        Assert.Equal(0, run.ExitCode);
        var text = await File.ReadAllTextAsync(_scratch["membership.yaml"]);
        Assert.Contains("\ncluster: \"web\"\n", text, StringComparison.Ordinal);
        Assert.Contains("\nkey_file: \"web.key\"\n", text, StringComparison.Ordinal);
        Assert.Contains("\nquorum: { mode: majority, wait_for_all: false }\n", text, StringComparison.Ordinal);
        Assert.EndsWith(
            "\nnodes:\n" +
            "  - { name: \"n1\", id: 1, links: [\"10.0.0.1:5405\", \"192.168.1.1:5405\"] }\n" +
            "  - { name: \"n2\", id: 2, links: [\"10.0.0.2:5405\", \"[fd00::2]:5406\"] }\n", text, StringComparison.Ordinal);
        Assert.Single(Keys(_scratch["web.key"]));
    }

    [Fact]
    public async Task Config_init_writes_neither_file_when_one_exists()
    {
        await File.WriteAllTextAsync(_scratch["membership.yaml"], "");

        var run = await Run("config", "init", "--cluster", "web", "--out", _scratch.Folder, "--nodes", "n1=10.0.0.1");

        Assert.Equal(74, run.ExitCode);
        Assert.False(File.Exists(_scratch["web.key"]));
    }

    [Theory]
    [InlineData("n1", "there is no =")]
    [InlineData("n 1=10.0.0.1", "the name is not")]
    [InlineData("n1=host:5405", "not an address")]
    [InlineData("n1=5", "not an address")]
    [InlineData("n1=10.0.0.1,n1=10.0.0.2", "n1 is there twice")]
    [InlineData("n1=10.0.0.1,n2=10.0.0.1", "10.0.0.1:5405 is there twice")]
    [InlineData("n1=10.0.0.1,n2=10.0.0.2+10.0.1.2", "2 links, but n1 has 1")]
    public async Task A_wrong_node_list_says_where_and_why(string nodes, string problem)
    {
        var run = await Run("config", "init", "--cluster", "web", "--out", _scratch.Folder, "--nodes", nodes);

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("MB1007", run.Error, StringComparison.Ordinal);
        Assert.Contains(problem, run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_scratch.Folder));
    }

    [Fact]
    public async Task A_cluster_name_is_a_name()
    {
        var run = await Run("config", "init", "--cluster", "../x", "--out", _scratch.Folder, "--nodes", "n1=10.0.0.1");

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("MB1009", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_check_passes_output_and_exit_code_of_the_daemon_through()
    {
        var program = await Program("#!/bin/sh\necho \"checked $*\"\necho 'c.yaml:14:12: wrong' >&2\nexit 78\n");
        var setup = new MbrSetup(new FakeConnector()) { Environment = { ["MBR_DAEMON"] = program } };

        var check = await MbrRun.With(setup, "config", "check", "c.yaml", "--json", "--node", "n1");
        var show = await MbrRun.With(setup, "config", "show", "c.yaml", "--effective");

        Assert.Equal((78, "checked --check-config=c.yaml --node=n1 --json\n", "c.yaml:14:12: wrong\n"), (check.ExitCode, check.Output, check.Error));
        Assert.Equal((78, "checked --check-config=c.yaml --effective\n"), (show.ExitCode, show.Output));
    }

    [Fact]
    public async Task The_daemons_program_is_found_beside_mbr()
    {
        await Program("#!/bin/sh\necho found\n");

        var run = await MbrRun.With(new MbrSetup(new FakeConnector()) { ProgramFolder = _scratch.Folder }, "config", "check");

        Assert.Equal((0, "found\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task A_daemons_program_that_is_missing_or_cannot_run_is_said_so()
    {
        await File.WriteAllTextAsync(_scratch["text"], "not a program");

        var missing = await MbrRun.With(new MbrSetup(new FakeConnector()) { Environment = { ["MBR_DAEMON"] = _scratch["missing"] } }, "config", "check");
        var broken = await MbrRun.With(new MbrSetup(new FakeConnector()) { Environment = { ["MBR_DAEMON"] = _scratch["text"] } }, "config", "check");

        Assert.Equal((74, 74), (missing.ExitCode, broken.ExitCode));
        Assert.Contains("MB1701", missing.Error, StringComparison.Ordinal);
        Assert.Contains("MB1702", broken.Error, StringComparison.Ordinal);
    }

    private static string[] Keys(string file) => [.. File.ReadAllLines(file).Where(static line => !line.StartsWith('#'))];

    private async Task<string> Program(string script)
    {
        var file = _scratch["membershipd"];
        await File.WriteAllTextAsync(file, script);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return file;
    }
}
