using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>An operator's watch of a group that stood still goes on where it was.</summary>
public class GroupWatchTests(ITestOutputHelper output) : ClusterTest(output)
{
    /// <summary>More than the connection to a client that stands still takes, less than the daemon keeps.</summary>
    private const int Messages = 40_000;

    private const int FewMessages = 100;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [RootFact]
    public async Task A_watch_that_is_stopped_is_cut_off_and_after_its_position_nothing_is_missing_or_twice()
    {
        await StartAsync(new ClusterPlan { Nodes = 2 });
        using var stopped = new Mbr(Node(1), "group", "watch", "g", "--json");
        await Eventually.HoldsAsync("the members as the watch begins", Limit, () => stopped.Lines.Count == 1);
        stopped.Signal("STOP");

        var sent = Send(2, Messages);
        await Eventually.HoldsAsync("the daemon cuts the watch off", Limit, () => Node(1).Daemon.Lines.Any(line => line.Text.Contains("its watch of group g", StringComparison.Ordinal)));
        sent.AddRange(Send(2, FewMessages));
        stopped.Signal("CONT");
        Assert.Equal(1, await stopped.ExitAsync(Limit));
        var before = stopped.Lines;
        var cut = JsonDocument.Parse(before[^1]).RootElement;
        Assert.Equal("cut", cut.GetProperty("event").GetString());
        Output.WriteLine($"{before.Count} lines before the cut, {before[^1]}");

        var resume = cut.GetProperty("resume").GetUInt64().ToString(CultureInfo.InvariantCulture);
        using var again = new Mbr(Node(1), "group", "watch", "g", "--json", "--after", resume, "--boot", cut.GetProperty("boot").GetString()!);   // as it came
        await Eventually.HoldsAsync("the leave of the last sender", Limit, () => Changes(before[1..^1].Concat(again.Lines)).Count == 4);
        var lines = before[1..^1].Concat(again.Lines).ToList();

        Assert.InRange(before.Count, 2, Messages);
        Assert.Equal(sent, lines.Where(line => Event(line) == "message").Select(line => JsonDocument.Parse(line).RootElement.GetProperty("counter").GetUInt64()));
        Assert.Equal(["join", "leave", "join", "leave"], Changes(lines));
    }

    // Their counters, as the receipts of another node have them.
    private List<ulong> Send(int node, int count) =>
        [.. Command.Run(DaemonProgram.Cli, "group", "send", "g", "--json", "--size", "16", "--count", count.ToString(CultureInfo.InvariantCulture), "--socket", Node(node).SocketPath)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.GetProperty("event").GetString() == "sent").Select(line => line.GetProperty("counter").GetUInt64())];

    private static List<string> Changes(IEnumerable<string> lines) =>
        [.. lines.Where(line => Event(line) == "membership").Select(line => JsonDocument.Parse(line).RootElement.GetProperty("reason").GetString() ?? "")];

    private static string? Event(string line) => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString();

    /// <summary>A command of an operator that goes on until it is ended.</summary>
    private sealed class Mbr : IDisposable
    {
        private readonly Process _process;
        private readonly List<string> _lines = [];

        public Mbr(ClusterNode node, params string[] arguments)
        {
            var start = new ProcessStartInfo(DaemonProgram.Cli, [.. arguments, "--socket", node.SocketPath]) { RedirectStandardOutput = true };
            _process = Process.Start(start) ?? throw new InvalidOperationException("mbr cannot be started");
            _process.OutputDataReceived += (_, line) =>
            {
                if (line.Data is not { } text) return;
                lock (_lines) _lines.Add(text);
            };
            _process.BeginOutputReadLine();
        }

        public void Signal(string name) => Command.Run("kill", $"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture));

        public List<string> Lines
        {
            get
            {
                lock (_lines) return [.. _lines];
            }
        }

        public async Task<int> ExitAsync(TimeSpan limit)
        {
            await _process.WaitForExitAsync().WaitAsync(limit);   // with all of its output
            return _process.ExitCode;
        }

        public void Dispose()
        {
            if (!_process.HasExited) _process.Kill();
            _process.Dispose();
        }
    }
}
