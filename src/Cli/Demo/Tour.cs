using System.Globalization;

namespace Membership.Cli.Demo;

/// <summary>The guided tour: does one thing after another to the cluster, says what should happen, and checks that it did.</summary>
internal sealed class Tour(DemoSession session, TimeProvider time, TimeSpan pause)
{
    private const int MessagesPerStep = 500;
    private const double LossShare = 0.2;

    /// <summary>Generous: the tour proves that it happens, benchmarks measure how fast. Loaded machines take the tour too.</summary>
    private static readonly TimeSpan StepLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Freeze = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SettledFor = TimeSpan.FromSeconds(3);

    /// <summary>Runs all steps in order; false at the first that does not do what it promises. Needs five nodes.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        (string Title, string Promise, Func<CancellationToken, Task<string?>> Act)[] steps =
        [
            ("form a ring", "Five daemons start at once. They must agree on one view of all five, with quorum.", FormAsync),
            ("order messages", "All five send at random. Every node must deliver all messages in one and the same order.", OrderAsync),
            ("kill n5", "SIGKILL, no good-bye. The four others must go on in a new view without it.", KillAsync),
            ("start n5 again", "It must be taken back by all, and deliver what they deliver.", RestartAsync),
            ("split n1 n2 n3 | n4 n5", "No datagram passes between the sides. Each must form its own view; only the larger may have quorum.", SplitAsync),
            ("heal the split", "The sides must merge into one view, without anybody doing anything.", HealAsync),
            ("cut one direction", "n1 no longer hears n2, but n2 still hears n1. One stable view must result, without flapping, that does not hold both.", OneWayAsync),
            ("heal the cut", "All five must be together again.", HealAsync),
            ("freeze n3 for 5 s", "Its ring thread stops, as a stalled machine would. The others must go on; on waking it must come back by itself.", FreezeAsync),
            ("lose 20 % everywhere", "Every node drops a fifth of what arrives. Messages must still be delivered, in one order.", LossAsync),
            ("stop cleanly", "SIGTERM: all must leave with exit code 0. And over the whole tour, no node delivered anything differently.", StopAsync),
        ];
        for (var number = 1; number <= steps.Length; number++)
        {
            var (title, promise, act) = steps[number - 1];
            await session.NoteAsync($"== {number}/{steps.Length} {title}: {promise}");
            if (pause > TimeSpan.Zero) await Task.Delay(pause, time, cancellationToken);
            var started = time.GetTimestamp();
            var failure = await CheckAsync(act, cancellationToken);
            await session.NoteAsync(failure is null ? $"PASS {title} ({time.GetElapsedTime(started).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture)} ms for the step)" : $"FAIL {title}: {failure}");
            if (failure is null) continue;
            await DescribeAsync(cancellationToken);
            return false;
        }

        return true;
    }

    private static async Task<string?> CheckAsync(Func<CancellationToken, Task<string?>> act, CancellationToken cancellationToken)
    {
        try
        {
            return await act(cancellationToken);
        }
        catch (OrderDiffersException different)
        {
            return $"different orders: {different.Message}";
        }
    }

    private async Task<string?> FormAsync(CancellationToken cancellationToken)
    {
        var began = Stamp();
        await session.StartAsync(session.Nodes);
        if (!await TogetherAsync(session.Nodes, cancellationToken)) return Late("no view of all five with quorum");
        await MeasureAsync("all five in one view", began, session.Nodes, cancellationToken);
        return null;
    }

    private async Task<string?> OrderAsync(CancellationToken cancellationToken)
    {
        session.Pump(DemoSession.DefaultPumpRate);
        return await MoreMessagesAsync(session.Nodes, cancellationToken);
    }

    private async Task<string?> KillAsync(CancellationToken cancellationToken)
    {
        int[] others = [1, 2, 3, 4];
        var began = Stamp();
        await session.KillAsync(5);
        if (!await TogetherAsync(others, cancellationToken)) return Late("no view of n1 to n4 with quorum");
        await MeasureAsync("from the kill to the new view on all four", began, others, cancellationToken);
        return await MoreMessagesAsync(others, cancellationToken);
    }

    private async Task<string?> RestartAsync(CancellationToken cancellationToken)
    {
        var began = Stamp();
        await session.StartAsync([5]);
        if (!await TogetherAsync(session.Nodes, cancellationToken)) return Late("n5 is not back in the view of all");
        await MeasureAsync("from the start of the process to one view", began, session.Nodes, cancellationToken);
        return await MoreMessagesAsync(session.Nodes, cancellationToken);
    }

    private async Task<string?> SplitAsync(CancellationToken cancellationToken)
    {
        int[] majority = [1, 2, 3];
        int[] minority = [4, 5];
        var began = Stamp();
        await session.SetFaultsAsync(FaultPlan.None with { Minority = minority }, cancellationToken);
        if (!await TogetherAsync(majority, cancellationToken)) return Late("n1 n2 n3 have no view of their own with quorum");
        await MeasureAsync("from the cut to the majority's view", began, majority, cancellationToken);
        var alone = await session.WaitAsync(
            picture => picture.IsOneView(minority) && minority.All(node => picture[node].Status is { Quorate: false }), StepLimit, cancellationToken);
        if (!alone) return Late("n4 n5 have no view of their own without quorum");
        return await MoreMessagesAsync(majority, cancellationToken) ?? await MoreMessagesAsync(minority, cancellationToken);
    }

    private async Task<string?> HealAsync(CancellationToken cancellationToken)
    {
        var began = Stamp();
        await session.SetFaultsAsync(FaultPlan.None, cancellationToken);
        if (!await TogetherAsync(session.Nodes, cancellationToken)) return Late("no view of all five with quorum");
        await MeasureAsync("from the repair to one view", began, session.Nodes, cancellationToken);
        return await MoreMessagesAsync(session.Nodes, cancellationToken);
    }

    private async Task<string?> OneWayAsync(CancellationToken cancellationToken)
    {
        await session.SetFaultsAsync(FaultPlan.None with { OneWay = (1, 2) }, cancellationToken);
        var began = time.GetTimestamp();
        string? settled = null;
        var since = began;
        var stable = await session.WaitAsync(
            picture =>
            {
                var view = SettledView(picture);
                if (view is null || view != settled) (settled, since) = (view, time.GetTimestamp());
                return settled is not null && time.GetElapsedTime(since) >= SettledFor;
            },
            StepLimit,
            cancellationToken);
        if (!stable) return Late($"no view of four nodes that stays for {SettledFor.TotalSeconds} s");
        var members = await session.ReadAsync(picture => Largest(picture), cancellationToken);
        await session.NoteAsync($"     settled on {DemoText.Nodes(members)} after {Milliseconds(time.GetElapsedTime(began, since))} ms, and stayed");
        return await MoreMessagesAsync(members, cancellationToken);
    }

    private async Task<string?> FreezeAsync(CancellationToken cancellationToken)
    {
        int[] others = [1, 2, 4, 5];
        var began = Stamp();
        await session.FreezeAsync(3, Freeze, cancellationToken);
        if (!await TogetherAsync(others, cancellationToken)) return Late("the others have no view without n3");
        await MeasureAsync("from the freeze to the view without n3", began, others, cancellationToken);
        if (!await TogetherAsync(session.Nodes, cancellationToken)) return Late("n3 did not come back");
        await MeasureAsync("until n3 was back", began, session.Nodes, cancellationToken);
        return await MoreMessagesAsync(session.Nodes, cancellationToken);
    }

    private async Task<string?> LossAsync(CancellationToken cancellationToken)
    {
        await session.SetFaultsAsync(FaultPlan.None with { Loss = LossShare }, cancellationToken);
        var failure = await MoreMessagesAsync(session.Nodes, cancellationToken);
        await session.SetFaultsAsync(FaultPlan.None, cancellationToken);
        if (failure is not null) return failure;
        return await TogetherAsync(session.Nodes, cancellationToken) ? null : Late("no view of all five after the loss");
    }

    private async Task<string?> StopAsync(CancellationToken cancellationToken)
    {
        session.Pump(0);
        var (order, surprises) = await session.ReadAsync(
            picture => (picture.Order.Components() is [var component, ..] ? DemoText.Order(component, picture.Order) : "order: nothing delivered", picture.Surprises.ToList()),
            cancellationToken);
        await session.NoteAsync($"     {order}");
        var codes = await session.StopAllAsync();
        var confirmed = await session.ReadAsync(picture => picture.Order.Confirmed, cancellationToken);
        await session.NoteAsync($"     {DemoText.Count(confirmed)} messages compared between nodes in all");
        var differences = await session.ReadAsync(picture => picture.Order.Differences.ToList(), cancellationToken);
        if (differences.Count > 0) return $"different orders: {differences[0]}";
        if (surprises.Count > 0) return surprises[0];
        var bad = codes.Where(code => code.Value != 0).Select(code => $"n{code.Key} ended with exit code {code.Value}").ToList();
        return bad.Count == 0 && codes.Count == session.Nodes.Count ? null : string.Join(", ", bad.DefaultIfEmpty("not all nodes were running"));
    }

    private Task<bool> TogetherAsync(IReadOnlyList<int> nodes, CancellationToken cancellationToken) => session.WaitAsync(
        picture => picture.IsOneView(nodes) && nodes.All(node => picture[node].Status is { Quorate: true }), StepLimit, cancellationToken);

    // Messages that all of these nodes delivered in the view they share now, equal on all of them.
    private async Task<string?> MoreMessagesAsync(IReadOnlyList<int> nodes, CancellationToken cancellationToken)
    {
        var before = await session.ReadAsync(picture => nodes.ToDictionary(node => node, node => picture[node].Delivered), cancellationToken);
        string order = "";
        var more = await session.WaitAsync(
            picture =>
            {
                if (picture.Order.DifferenceCount > 0) throw new OrderDiffersException(picture.Order.Differences[0]);
                var component = picture.Order.Components().FirstOrDefault(candidate => candidate.Nodes.SequenceEqual(nodes) && candidate.Placed == nodes.Count);
                if (component is null || component.Common == 0) return false;
                order = DemoText.Order(component, picture.Order);
                return nodes.All(node => picture[node].Delivered - before[node] >= MessagesPerStep);
            },
            StepLimit,
            cancellationToken);
        if (!more) return Late($"fewer than {MessagesPerStep} further messages on {DemoText.Nodes(nodes)}");
        await session.NoteAsync($"     {order}");
        return null;
    }

    private async Task MeasureAsync(string what, long began, IReadOnlyList<int> nodes, CancellationToken cancellationToken)
    {
        // Daemons of this machine stamp views with the clock that Stopwatch reads, so the two can be subtracted.
        var last = await session.ReadAsync(picture => nodes.Max(node => picture[node].View?.TNs ?? 0), cancellationToken);
        await session.NoteAsync($"     {what}: {Milliseconds(TimeSpan.FromMicroseconds((last - began) / 1000.0))} ms");
    }

    private async Task DescribeAsync(CancellationToken cancellationToken)
    {
        var lines = await session.ReadAsync(
            picture => picture.Nodes.Select(node =>
                $"     n{node.Id}: process {node.ProcessId?.ToString(CultureInfo.InvariantCulture) ?? "none"}, view {node.View?.Id ?? "none"} {DemoText.Nodes(node.Members)}, " +
                $"ring {node.Status?.RingState ?? "no answer"}, quorum: {node.Status?.QuorumReason ?? "no answer"}").ToList(),
            cancellationToken);
        foreach (var line in lines) await session.NoteAsync(line);
    }

    private static string? SettledView(ClusterPicture picture)
    {
        var members = Largest(picture);
        return members.Count == 4 && !(members.Contains(1) && members.Contains(2)) && picture.IsOneView(members) ? picture[members[0]].View?.Id : null;
    }

    private static IReadOnlyList<int> Largest(ClusterPicture picture) =>
        picture.Order.Components() is [var component, ..] ? component.Nodes : [];

    private long Stamp() => time.GetTimestamp();

    private static string Late(string what) => $"{what} within {StepLimit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s";

    private static string Milliseconds(TimeSpan span) => span.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
}

/// <summary>Nodes delivered different messages at one place: nothing after that is worth waiting for.</summary>
internal sealed class OrderDiffersException(string message) : Exception(message);
