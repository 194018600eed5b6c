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
        var (time, timeout, fifo) = (new HandTime(), TimeSpan.FromMilliseconds(500), Pipe("fifo"));
        var running = HeuristicsRunner.RunAsync(
            new HeuristicsOptions([["/bin/true"], ["/bin/sh", "-c", $"exec 3> {fifo.Path}; sleep 60 & echo $$ $! >&3; wait"]], timeout, timeout), time, CancellationToken.None);
        using var reader = await fifo.ReadAsync();
        var processes = await reader.ReadLineAsync().WaitAsync(Patience);

        time.Pass(timeout - TimeSpan.FromTicks(1));
        Assert.False(running.IsCompleted);
        time.Pass(TimeSpan.FromTicks(1));
        var failed = await running.WaitAsync(Patience);

        Assert.EndsWith("did not end within 500ms and was killed", failed?.Outcome, StringComparison.Ordinal);
        Assert.Equal(2, processes?.Split(' ').Length);
        Assert.Equal("", await reader.ReadToEndAsync().WaitAsync(Patience));   // its end: both are gone
    }

    [Fact]
    public async Task Commands_run_beside_each_other_and_what_they_print_stops_none()
    {
        List<(Fifo Here, Fifo Go)> all = [.. Enumerable.Range(0, 8).Select(number => (Pipe($"here{number}"), Pipe($"go{number}")))];
        var running = RunAsync(Patience, [.. all.Select(fifo => new[]
        {
            "/bin/sh", "-c", $"head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; echo here > {fifo.Here.Path}; read go < {fifo.Go.Path}",
        })]);

        foreach (var (here, _) in all)
        {
            using var reader = await here.ReadAsync();   // all of them are there before any may go on
            Assert.Equal("here", await reader.ReadLineAsync().WaitAsync(Patience));
        }
        Assert.False(running.IsCompleted);
        foreach (var (_, go) in all)
        {
            await using var writer = await go.WriteAsync();
            await writer.WriteLineAsync("go");
        }

        Assert.Null(await running.WaitAsync(Patience));
    }

    [Fact]
    public async Task A_command_has_a_bare_environment_and_no_input()
    {
        Assert.Null(await RunAsync(Patience, ["/bin/sh", "-c", "test \"$LC_ALL\" = C && test -z \"$HOME$USER$DOTNET_ROOT\" && test -z \"$(cat)\" && test \"$PWD\" = /"]));
    }

    [Fact]
    public async Task Who_stops_waiting_takes_the_commands_down_too()
    {
        var fifo = Pipe("fifo");
        using var stop = new CancellationTokenSource();
        var running = HeuristicsRunner.RunAsync(
            new HeuristicsOptions([["/bin/sh", "-c", $"exec 3> {fifo.Path}; echo here >&3; exec sleep 60"]], Patience, Patience), new HandTime(), stop.Token);
        using var reader = await fifo.ReadAsync();
        Assert.Equal("here", await reader.ReadLineAsync().WaitAsync(Patience));

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(Patience));
        Assert.Equal("", await reader.ReadToEndAsync().WaitAsync(Patience));   // its end: it is gone
    }

    private Fifo Pipe(string name) => new(Path.Combine(_directory.FullName, name));

    private static Task<(string Command, string Outcome)?> RunAsync(TimeSpan timeout, params string[][] commands) =>
        HeuristicsRunner.RunAsync(new HeuristicsOptions(commands, timeout, timeout), TimeProvider.System, CancellationToken.None);
}
