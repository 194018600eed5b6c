using System.Diagnostics;
using System.Globalization;
using Membership.Daemon.Witness.Client;

namespace Membership.Daemon.Tests.Witness;

/// <summary>The commands that judge whether a node is fit for the witness's votes: real programs, their exit codes, time limits and children.</summary>
[Collection(AloneCollection.Name)]
public sealed class HeuristicsTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("membership-heuristics-");

    public void Dispose() => _directory.Delete(true);

    [Fact]
    public async Task All_commands_that_end_with_zero_are_well()
    {
        Assert.Null(await RunAsync(Patience, ["/bin/true"], ["/bin/sh", "-c", "exit 0"]));
        Assert.Null(await RunAsync(Patience));
    }

    [Theory]
    [InlineData("exit 3", "ended with exit code 3")]
    [InlineData("kill -9 $$", "ended with exit code 137")]
    public async Task The_first_command_that_does_not_is_named_with_its_exit_code(string script, string outcome)
    {
        var failed = await RunAsync(Patience, ["/bin/true"], ["/bin/sh", "-c", script], ["/bin/false"]);

        Assert.Equal(($"/bin/sh -c {script}", outcome), failed);
    }

    [Fact]
    public async Task A_program_that_is_not_there_or_may_not_be_run_is_told_and_not_thrown()
    {
        var file = Path.Combine(_directory.FullName, "plain");
        await File.WriteAllTextAsync(file, "no program");

        var missing = await RunAsync(Patience, ["/no/such/program"]);
        var plain = await RunAsync(Patience, [file]);

        Assert.StartsWith("cannot be started: ", missing?.Outcome, StringComparison.Ordinal);
        Assert.StartsWith("cannot be started: ", plain?.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_that_does_not_end_in_time_is_killed_with_its_children_while_the_others_run()
    {
        var pids = Path.Combine(_directory.FullName, "pids");
        var from = Stopwatch.GetTimestamp();

        var failed = await RunAsync(TimeSpan.FromMilliseconds(500), ["/bin/true"], ["/bin/sh", "-c", $"sleep 60 & echo $! $$ > {pids}; wait"]);

        Assert.EndsWith("did not end within 500ms and was killed", failed?.Outcome, StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(from), TimeSpan.FromMilliseconds(400), Patience / 2);
        var (child, parent) = (await File.ReadAllTextAsync(pids)).Split(' ') is [var first, var second] ? (first, second.Trim()) : throw new InvalidDataException("no process ids");
        await GoneAsync(child);
        await GoneAsync(parent);
    }

    [Fact]
    public async Task Commands_run_beside_each_other_and_what_they_print_stops_none()
    {
        var from = Stopwatch.GetTimestamp();

        var failed = await RunAsync(Patience, [.. Enumerable.Repeat<string[]>(["/bin/sh", "-c", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; sleep 1"], 8)]);

        Assert.Null(failed);
        Assert.InRange(Stopwatch.GetElapsedTime(from).TotalSeconds, 1, 7);   // one after the other they need eight
    }

    [Fact]
    public async Task A_command_has_a_bare_environment_and_no_input()
    {
        Assert.Null(await RunAsync(Patience, ["/bin/sh", "-c", "test \"$LC_ALL\" = C && test -z \"$HOME$USER$DOTNET_ROOT\" && test -z \"$(cat)\" && test \"$PWD\" = /"]));
    }

    [Fact]
    public async Task Who_stops_waiting_takes_the_commands_down_too()
    {
        var pid = Path.Combine(_directory.FullName, "pid");
        using var stop = new CancellationTokenSource();
        var running = HeuristicsRunner.RunAsync(new HeuristicsOptions([["/bin/sh", "-c", $"echo $$ > {pid}; exec sleep 60"]], Patience, Patience), stop.Token);
        using var limit = new CancellationTokenSource(Patience);
        while (!File.Exists(pid) || new FileInfo(pid).Length == 0) await Task.Delay(5, limit.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(Patience));
        await GoneAsync((await File.ReadAllTextAsync(pid)).Trim());
    }

    private static Task<(string Command, string Outcome)?> RunAsync(TimeSpan timeout, params string[][] commands) =>
        HeuristicsRunner.RunAsync(new HeuristicsOptions(commands, timeout, timeout), CancellationToken.None);

    // A killed process stays in the table until its parent has looked: that counts as gone.
    private static async Task GoneAsync(string pid)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (IsRunning(int.Parse(pid, CultureInfo.InvariantCulture))) await Task.Delay(5, limit.Token);
    }

    private static bool IsRunning(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1][0] is not ('Z' or 'X');
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
