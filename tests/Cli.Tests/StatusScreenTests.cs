using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>Screens as people see them, character by character.</summary>
public sealed class StatusScreenTests
{
    private static Task<MbrRun> Run(GetStatusResponse status, Terminal terminal, params string[] arguments) =>
        MbrRun.With(new MbrSetup(FakeConnector.To(new FakeDaemon { Status = status })) { Terminal = terminal }, arguments);

    [Fact]
    public async Task A_healthy_cluster_is_one_headline_and_one_row_per_node()
    {
        var run = await Run(Clusters.Healthy(), Terminal.Plain, "status");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("""
             web  ● HEALTHY   quorate 5/5 votes (need 3)   view 42 (1.2a.9f3c51d0) for 3h12m   as of 0.0s ago, via n2

             NODE  STATE   SINCE  VOTES  VERSION  LINK A    LINK B    RING us  GROUPS  NOTE
             n1    member  3h12m  1      0.1.0    up 0.2ms  up 0.3ms  -        11
             n2 *  member  3h12m  1      0.1.0    -         -         175      12      this node
             n3    member  3h12m  1      0.1.0    up 0.2ms  up 0.3ms  -        13
             n4    member  3h12m  1      0.1.0    up 0.2ms  up 0.3ms  -        14
             n5    member  3h12m  1      0.1.0    up 0.2ms  up 0.3ms  -        15

            """, run.Output);
    }

    [Fact]
    public async Task A_degraded_cluster_says_what_is_missing_and_what_to_type()
    {
        var run = await Run(Clusters.Degraded(), Terminal.Plain);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("""
             web  ▲ DEGRADED   quorate 4/5 votes (need 3)   view 42 (1.2a.9f3c51d0) for 14s   as of 0.0s ago, via n2
             │ n3 unreachable on link A and B for 14s - probably its daemon or machine is down, or its cables.
             │ link B to n4 is down, last heard 5.0s ago.
             └ next: mbr link matrix · mbr node list

             NODE  STATE        SINCE  VOTES  VERSION  LINK A    LINK B     RING us  GROUPS  NOTE
             n1    member       14s    1      0.1.0    up 0.2ms  up 0.3ms   -        0
             n2 *  member       14s    1      0.1.0    -         -          -        0       this node
             n3    unreachable  14s    1      0.1.0    down 14s  down 14s   -        -
             n4    member       14s    1      0.1.0    up 0.2ms  down 5.0s  -        0
             n5    member       14s    1      0.1.0    up 0.2ms  up 0.3ms   -        0

            """, run.Output);
    }

    [Fact]
    public async Task A_minority_exits_2_and_says_that_it_has_no_quorum()
    {
        var run = await Run(Clusters.NoQuorum(), Terminal.Plain, "status");

        Assert.Equal(2, run.ExitCode);
        Assert.Equal("""
             web  ✖ NO QUORUM   2/5 votes (need 3)   view 42 (4.2a.9f3c51d0) for 14s   as of 0.0s ago, via n4
             │ quorum: 2 of 5 votes, need 3.
             │ n1 n2 n3 unreachable on link A and B for 14s - probably a network split with this node on the smaller side, or these nodes are down.
             └ next: mbr link matrix · mbr node list · after repair nothing needs to be typed

             NODE  STATE        SINCE  VOTES  VERSION  LINK A    LINK B    RING us  GROUPS  NOTE
             n1    unreachable  14s    1      0.1.0    down 14s  down 14s  -        -
             n2    unreachable  14s    1      0.1.0    down 14s  down 14s  -        -
             n3    unreachable  14s    1      0.1.0    down 14s  down 14s  -        -
             n4 *  member       14s    1      0.1.0    -         -         -        0       this node
             n5    member       14s    1      0.1.0    up 0.2ms  up 0.2ms  -        0

            """, run.Output);
    }

    [Fact]
    public async Task The_matrix_shows_one_way_links_and_says_who_is_deaf()
    {
        var run = await Run(Clusters.OneWay(), Terminal.Plain, "link", "matrix");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("""
             hears  n1   n2    n3
             n1     -    ✖12s  0.2
             n2     yes  -     yes
             n3     0.2  ✖     -
             ▲ one-way: n1 does not hear n2, but n2 hears n1 (link A). Usually a firewall or a wrong port.
             ▲ one-way: n3 does not hear n2, but n2 hears n3. Usually a firewall or a wrong port.

            """, run.Output);
    }

    [Fact]
    public async Task Narrow_terminals_lose_columns_and_parts_of_the_headline_from_the_right()
    {
        var run = await Run(Clusters.Healthy(), Terminal.Plain with { Width = 50 }, "status");

        Assert.All(run.Output.Split('\n'), static line => Assert.True(line.Length <= 50, line));
        Assert.StartsWith(" web  ● HEALTHY   quorate 5/5 votes (need 3)\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("VERSION  LINK A\n", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("LINK B", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_terminal_without_unicode_gets_ascii_only()
    {
        var run = await Run(Clusters.NoQuorum(), Terminal.Plain with { HasUnicode = false }, "status");
        var matrix = await Run(Clusters.OneWay(), Terminal.Plain with { HasUnicode = false }, "link", "matrix");

        Assert.All(run.Output + matrix.Output, static character => Assert.True(char.IsAscii(character)));
        Assert.Contains("x12s", matrix.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Colour_changes_no_word()
    {
        var plain = await Run(Clusters.Degraded(), Terminal.Plain, "status");
        var coloured = await Run(Clusters.Degraded(), Terminal.Plain with { HasColour = true }, "status");

        Assert.Contains("\e[", coloured.Output, StringComparison.Ordinal);
        var stripped = System.Text.RegularExpressions.Regex.Replace(coloured.Output, "\e\\[[0-9;]*m", "");
        Assert.Equal(plain.Output, string.Join('\n', stripped.Split('\n').Select(static line => line.TrimEnd())));
    }

    [Theory]
    [InlineData("xterm-256color", null, false, true, true)]
    [InlineData("xterm-256color", "1", false, true, false)]
    [InlineData("dumb", null, false, false, false)]
    [InlineData(null, null, false, false, false)]
    [InlineData("xterm-256color", null, true, false, false)]
    public void No_colour_and_no_redrawing_where_the_surroundings_forbid_it(string? term, string? noColor, bool redirected, bool live, bool colour)
    {
        var terminal = Terminal.Of(redirected, 80, name => name switch { "TERM" => term, "NO_COLOR" => noColor, "LANG" => "C.UTF-8", _ => null });

        Assert.Equal(live, terminal.IsLive);
        Assert.Equal(colour, terminal.HasColour);
        Assert.True(terminal.HasUnicode);
    }

    [Theory]
    [InlineData("n\e[2J1", "n\\x1b[2J1")]
    [InlineData("n\r\n1", "n\\x0d\\x0a1")]
    [InlineData("n\u202e1", "n\\u202e1")]
    [InlineData("n\u009b1", "n\\x9b1")]
    [InlineData("knötchen", "knötchen")]
    public async Task Names_cannot_drive_the_terminal(string name, string shown)
    {
        var status = Clusters.NoQuorum();
        status.Cluster = name;
        status.Nodes[0].Name = name;
        status.Nodes[0].Version = name;
        status.QuorumReason = name;
        status.View.Id = name;

        foreach (var command in (string[])["status", "node list", "link list", "link matrix", "view list"])
        {
            var run = await Run(status, Terminal.Plain, command.Split(' '));

            Assert.Contains(shown, run.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(run.Output, static character => char.IsControl(character) && character != '\n');
            Assert.DoesNotContain('\u202e', run.Output);
        }
    }

    [Fact]
    public async Task Wide_characters_keep_the_columns_aligned()
    {
        var status = Clusters.Healthy();
        status.Nodes[0].Name = "日本";

        var run = await Run(status, Terminal.Plain, "node", "list");

        Assert.Contains("\n 日本  member", run.Output, StringComparison.Ordinal);
        Assert.Contains("\n n3    member", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fault_injection_is_shown_also_when_healthy()
    {
        var status = Clusters.Healthy();
        status.FaultInjection = true;

        var run = await Run(status, Terminal.Plain, "status");

        Assert.Contains("--allow-fault-injection", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("next:", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_three_states_have_three_symbols_also_in_ascii()
    {
        GetStatusResponse[] states = [Clusters.Healthy(), Clusters.Degraded(), Clusters.NoQuorum()];

        var drawn = await Task.WhenAll(states.Select(static state => Run(state, Terminal.Plain, "status")));
        var ascii = await Task.WhenAll(states.Select(static state => Run(state, Terminal.Plain with { HasUnicode = false }, "status")));

        Assert.Equal(["●", "▲", "✖"], drawn.Select(static run => run.Output[6..7]));
        Assert.Equal(["*", "!", "x"], ascii.Select(static run => run.Output[6..7]));
    }

    [Fact]
    public async Task A_node_that_hears_nobody_is_told_to_look_at_its_own_cable()
    {
        var status = Clusters.NoQuorum();
        status.Nodes[4].State = NodeState.Unreachable;

        var run = await Run(status, Terminal.Plain, "status");

        Assert.Contains("n4 hears nobody: probably its own cable, switch or firewall.", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_never_waits_longer_than_its_limit_for_connecting_and_reading_together()
    {
        var silent = new FakeDaemon(); // connects at once and never answers
        var started = System.Diagnostics.Stopwatch.StartNew();

        var run = await MbrRun.With(new MbrSetup(FakeConnector.To(silent)) { Time = TimeProvider.System }, "status", "--timeout", "200ms");

        Assert.Equal(6, run.ExitCode);
        Assert.InRange(started.ElapsedMilliseconds, 150, 20_000);
    }

    [Fact]
    public async Task A_watched_screen_keeps_the_last_views_and_verdicts_below()
    {
        using var interrupt = new CancellationTokenSource();
        var daemon = new FakeDaemon { Status = Clusters.Healthy() };
        for (ulong revision = 1; revision <= 12; revision++)
            daemon.Views.Add(Clusters.View(revision, [1, 2]));
        daemon.Verdicts.Add(new Quorum { Quorate = true, Votes = 5, VotesNeeded = 3, VotesExpected = 5, Reason = "all\e[2J" });
        using var output = new LockedStream();
        var host = new CliHost(Stream.Null, output, Stream.Null) { Connector = FakeConnector.To(daemon), Time = new StoppedClock() };
        var run = Mbr.RunAsync(["status", "--watch"], host, interrupt.Token);
        await output.UntilAsync("view 53 ", "quorum QUORATE 5/5");
        await interrupt.CancelAsync();

        Assert.Equal(0, await run);
        var screens = System.Text.Encoding.UTF8.GetString(output.ToArray()).Split(" web  ");
        Assert.True(screens.Length > 13, "a screen for each event");
        Assert.All(screens, static screen => Assert.InRange(screen.Split('\n').Count(static line => line.StartsWith(" 12:03:07  ", StringComparison.Ordinal)), 0, 10));
        Assert.Contains(" 12:03:07  quorum QUORATE 5/5 votes (need 3): all\\x1b[2J\n", string.Concat(screens), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_goes_on_where_the_daemon_offers_no_verdicts_and_ends_with_its_stream_of_views()
    {
        var daemon = new FakeDaemon { Status = Clusters.Healthy(), Views = { Clusters.View(1, [1, 2]), Clusters.View(2, [1]) }, StreamsEnd = true };

        var run = await MbrRun.Of(FakeConnector.To(daemon), "status", "--watch", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(2, run.JsonLines.Count);
        Assert.Contains("MB1503", run.Error, StringComparison.Ordinal);
    }

    /// <summary>Can be read, and waited for, while it is written.</summary>
    private sealed class LockedStream : MemoryStream
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Waits until it holds all these.</summary>
        public async Task UntilAsync(params string[] pieces)
        {
            while (true)
            {
                var more = Volatile.Read(ref _written).Task;
                if (pieces.All(piece => System.Text.Encoding.UTF8.GetString(ToArray()).Contains(piece, StringComparison.Ordinal))) return;
                await more.WaitAsync(TimeSpan.FromSeconds(30));
            }
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            lock (_lock)
                base.Write(buffer, offset, count);
            Interlocked.Exchange(ref _written, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }

        public override byte[] ToArray()
        {
            lock (_lock)
                return base.ToArray();
        }
    }
}
