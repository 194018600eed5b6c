using System.Threading.Channels;

namespace Membership.Cli.Demo;

/// <summary>A demo driven by keys, or by nobody: starts all nodes and the messages, then does what is asked until quit.</summary>
internal sealed class DemoDriver(DemoSession session)
{
    /// <summary>How long a frozen node stays so.</summary>
    private static readonly TimeSpan Freeze = TimeSpan.FromSeconds(5);

    private const double LossShare = 0.2;

    /// <summary>Runs until quit (or, without keys, until cancelled).</summary>
    public async Task RunAsync(ChannelReader<char>? keys, CancellationToken cancellationToken)
    {
        await session.StartAsync(session.Nodes);
        session.Pump(DemoSession.DefaultPumpRate);
        if (keys is null)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return;
        }

        var meaning = new DemoKeys(session.Nodes.Count);
        while (await keys.WaitToReadAsync(cancellationToken))
        {
            while (keys.TryRead(out var key))
            {
                if (meaning.Press(key) is not { } action) continue;
                if (action is DemoAction.Quit) return;
                await DoAsync(action, cancellationToken);
            }
        }
    }

    /// <summary>The smaller side of a split: 5 nodes give 3|2.</summary>
    internal static IReadOnlyList<int> Minority(int nodes) => [.. Enumerable.Range(1, nodes).Skip((nodes + 2) / 2)];

    private Task DoAsync(DemoAction action, CancellationToken cancellationToken) => action switch
    {
        DemoAction.Toggle toggle => session.ToggleAsync(toggle.Node),
        DemoAction.Freeze freeze => FreezeAsync(freeze.Node, cancellationToken),
        DemoAction.Split => session.SetFaultsAsync(session.Faults with { Minority = Minority(session.Nodes.Count) }, cancellationToken),
        DemoAction.OneWay when session.Nodes.Count >= 2 => session.SetFaultsAsync(session.Faults with { OneWay = (1, 2) }, cancellationToken),
        DemoAction.OneWay => session.NoteAsync("a one-way cut needs two nodes").AsTask(),
        DemoAction.Lose => session.SetFaultsAsync(session.Faults with { Loss = LossShare }, cancellationToken),
        DemoAction.Heal => session.SetFaultsAsync(FaultPlan.None, cancellationToken),
        _ => throw new System.Diagnostics.UnreachableException($"an unknown action: {action}"),
    };

    private async Task FreezeAsync(int? node, CancellationToken cancellationToken)
    {
        var target = node ?? session.Nodes.LastOrDefault(session.IsRunning);
        if (target != 0 && session.IsRunning(target)) await session.FreezeAsync(target, Freeze, cancellationToken);
        else await session.NoteAsync("no such node is running");
    }
}
