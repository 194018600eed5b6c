using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>A daemon that cannot run as asked says why, what to do, and ends with the code for it.</summary>
public class StartTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const int Usage = 64;
    private const int BadState = 65;
    private const int InputOutput = 74;
    private const int BadConfiguration = 78;
    private static readonly TimeSpan ExitLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ViewLimit = TimeSpan.FromSeconds(10);

    [RootFact]
    public async Task A_key_file_others_can_read_is_refused_with_the_chmod_to_type()
    {
        Prepare(new ClusterPlan { Nodes = 1 });
        File.SetUnixFileMode(Cluster.KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);

        Node(1).Start();

        Assert.Equal(BadConfiguration, await Node(1).Daemon.ExitAsync(ExitLimit));
        Assert.Contains(Node(1).Daemon.Lines, line => line.Text.Contains($"chmod 600 {Cluster.KeyPath}", StringComparison.Ordinal)
            || line.Text.Contains($"chmod 0600 {Cluster.KeyPath}", StringComparison.Ordinal));
    }

    [RootFact]
    public async Task Every_mistake_in_the_configuration_is_named_with_its_line_and_the_daemon_ends()
    {
        Prepare(new ClusterPlan { Nodes = 1, MoreConfiguration = "quorun: { mode: majority }\napi: { socket: 7 seconds, colour: red }\n" });

        Node(1).Start();

        Assert.Equal(BadConfiguration, await Node(1).Daemon.ExitAsync(ExitLimit));
        Assert.Contains("membership.yaml:7", Node(1).Daemon.Log, StringComparison.Ordinal);
        Assert.Contains("quorum", Node(1).Daemon.Log, StringComparison.Ordinal);
        Assert.Contains("membership.yaml:8", Node(1).Daemon.Log, StringComparison.Ordinal);
        Assert.Contains("colour", Node(1).Daemon.Log, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task An_unknown_option_is_a_usage_error()
    {
        Prepare(new ClusterPlan { Nodes = 1 });

        Node(1).Start("--colour", "red");

        Assert.Equal(Usage, await Node(1).Daemon.ExitAsync(ExitLimit));
        Assert.Contains("--colour", Node(1).Daemon.Log, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task One_spoiled_generation_of_the_state_is_survived_and_view_numbers_still_rise()
    {
        var before = await StartAsync(new ClusterPlan { Nodes = 1 });
        await StopAsync();
        Spoil(Newest());

        Node(1).Start();
        var after = await Cluster.OneViewAsync(ViewLimit);

        Assert.True(after.Number > before.Number, $"{after.Number} after {before.Number}");
    }

    [RootFact]
    public async Task A_state_of_which_nothing_is_valid_is_refused()
    {
        await StartAsync(new ClusterPlan { Nodes = 1 });
        await StopAsync();
        foreach (var file in Generations()) Spoil(file);

        Node(1).Start();

        Assert.Equal(BadState, await Node(1).Daemon.ExitAsync(ExitLimit));
        Assert.Contains(Node(1).StateDirectory, Node(1).Daemon.Log, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task A_second_daemon_on_the_same_state_directory_is_refused_and_the_first_runs_on()
    {
        var before = await StartAsync(new ClusterPlan { Nodes = 1 });

        using var second = DaemonProcess.Start(Cluster.Network.Namespace(1), "--config", Cluster.ConfigurationPath, "--node", Node(1).Name,
            "--state-dir", Node(1).StateDirectory, "--socket", Path.Combine(Cluster.Folder, "second.sock"));

        Assert.Equal(BadState, await second.ExitAsync(ExitLimit));
        Assert.Equal(before.Id, (await Node(1).ViewAsync())?.Id);
    }

    [RootFact]
    public async Task A_full_disk_at_the_start_ends_the_daemon_with_path_and_cause()
    {
        Prepare(new ClusterPlan { Nodes = 1, StateDirectorySize = "64k" });
        Fill();

        Node(1).Start();

        Assert.Equal(InputOutput, await Node(1).Daemon.ExitAsync(ExitLimit));
        Assert.Contains(Node(1).StateDirectory, Node(1).Daemon.Log, StringComparison.Ordinal);
        Assert.Contains("space", Node(1).Daemon.Log, StringComparison.OrdinalIgnoreCase);
    }

    [RootFact]
    public async Task A_disk_that_fills_up_makes_the_node_leave_cleanly_when_it_must_write_and_the_others_go_on()
    {
        await StartAsync(new ClusterPlan { StateDirectorySize = "64k" });
        Fill();

        // Every start goes on in a new block of ring sequences: the next ring is beyond what node 1 has reserved.
        Node(3).Daemon.Terminate();
        await Node(3).Daemon.ExitAsync(ExitLimit);
        Node(3).Start();

        Assert.Equal(InputOutput, await Node(1).Daemon.ExitAsync(ExitLimit));
        Assert.Contains(Node(1).StateDirectory, Node(1).Daemon.Log, StringComparison.Ordinal);
        await Cluster.OneViewAsync(ViewLimit, NodesOf(2, 3));
    }

    private async Task StopAsync()
    {
        Node(1).Daemon.Terminate();
        Assert.Equal(0, await Node(1).Daemon.ExitAsync(ExitLimit));
    }

    /// <summary>The two files of docs/operating/state-directory.md, the one written last first.</summary>
    private FileInfo[] Generations()
    {
        FileInfo[] files = [.. new DirectoryInfo(Node(1).StateDirectory).GetFiles("ring.*").OrderByDescending(file => file.LastWriteTimeUtc)];
        Assert.Equal(2, files.Length);
        return files;
    }

    private FileInfo Newest() => Generations()[0];

    private static void Spoil(FileInfo file)
    {
        var bytes = File.ReadAllBytes(file.FullName);
        bytes[bytes.Length / 2] ^= 0x40;
        File.WriteAllBytes(file.FullName, bytes);
    }

    private void Fill()
    {
        using var filler = new FileStream(Path.Combine(Node(1).StateDirectory, "filler"), FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true) filler.Write(new byte[4096]);
        }
        catch (IOException)
        {
            // The file system is full, which is what this wants.
        }
    }
}
