using Membership.V1;

namespace Membership.Cli.Demo;

/// <summary>What the watchers of the nodes tell the demo's one owner of state.</summary>
internal abstract record DemoEvent
{
    private DemoEvent()
    {
    }

    /// <summary>A daemon was started.</summary>
    public sealed record Started(int Node, int ProcessId) : DemoEvent;

    /// <summary>A daemon ended. Expected: the demo ended it.</summary>
    public sealed record Exited(int Node, int Code, bool Expected) : DemoEvent;

    /// <summary>A node's stream of views and messages begins.</summary>
    public sealed record StreamBegan(int Node) : DemoEvent;

    /// <summary>A piece of a node's stream.</summary>
    public sealed record Stream(int Node, SubscribeResponse Piece) : DemoEvent;

    /// <summary>A node's stream ended. Why: null when its daemon ended, which is told by <see cref="Exited"/>.</summary>
    public sealed record StreamEnded(int Node, string? Why) : DemoEvent;

    /// <summary>A node answered, or did not (null).</summary>
    public sealed record Status(int Node, GetStatusResponse? Answer) : DemoEvent;

    /// <summary>Messages of a node got their receipts.</summary>
    public sealed record Receipts(int Node, int Delivered, int Failed) : DemoEvent;

    /// <summary>The injected faults changed.</summary>
    public sealed record Faults(FaultPlan Plan) : DemoEvent;

    /// <summary>A node's ring thread was frozen for a while.</summary>
    public sealed record Frozen(int Node, TimeSpan For) : DemoEvent;

    /// <summary>A line for the reader.</summary>
    public sealed record Note(string Text) : DemoEvent;

    /// <summary>Someone waits for a condition; handled by the loop, not by the picture.</summary>
    public sealed record Waits(Waiter Waiter) : DemoEvent;

    /// <summary>Time passed: waiters look at their deadlines, the screen at its ages.</summary>
    public sealed record Tick : DemoEvent;
}
