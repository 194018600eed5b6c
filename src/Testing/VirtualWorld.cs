using Membership.Links;

namespace Membership.Testing;

/// <summary>Virtual time, and a network that delivers after a fixed delay or not at all.</summary>
/// <remarks>Everything happens under <see cref="Gate"/>, in the order of due times; equal ones in the order of their making.</remarks>
internal sealed class VirtualWorld
{
    /// <summary>From one node to another.</summary>
    private static readonly TimeSpan Hop = TimeSpan.FromMicroseconds(50);

    /// <summary>How often a condition is looked at while time moves towards it.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(1);

    private readonly PriorityQueue<Action, (long Due, long Order)> _due = new();
    private readonly HashSet<(int From, int To)> _cuts = [];
    private long _order;

    public Lock Gate { get; } = new();

    public List<TestNode> Nodes { get; } = [];

    /// <summary>Since the cluster was made.</summary>
    public Instant Now { get; private set; }

    public bool IsCut(int from, int to) => _cuts.Contains((from, to));

    public void Heal() => _cuts.Clear();

    public void Cut(int from, int to) => _cuts.Add((from, to));

    /// <summary>Carries a datagram, unless it is lost at the start or the end of its way.</summary>
    public void Carry(int from, int to, LinkId link, ReadOnlySpan<byte> datagram)
    {
        if (IsCut(from, to)) return;
        byte[] bytes = datagram.ToArray();
        At(Now + Hop, () =>
        {
            if (!IsCut(from, to)) Nodes[to].OnDatagram(from, link, bytes);
        });
    }

    public void At(Instant due, Action action) => _due.Enqueue(action, (due.Nanoseconds, _order++));

    /// <summary>Moves time on; under the lock.</summary>
    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (true)
        {
            var next = Instant.Never;
            TestNode? node = null;
            foreach (var candidate in Nodes)
            {
                if (candidate.NextDeadline >= next) continue;
                (next, node) = (candidate.NextDeadline, candidate);
            }
            if (_due.TryPeek(out _, out var first) && first.Due <= next.Nanoseconds)
            {
                if (first.Due > end.Nanoseconds) break;
                Now = new Instant(Math.Max(Now.Nanoseconds, first.Due));
                _due.Dequeue()();
                continue;
            }
            if (node is null || next > end) break;
            if (next > Now) Now = next;
            node.OnTick();
        }
        Now = end;
    }

    /// <summary>Moves time on until the condition holds; false when it does not within the limit. Under the lock.</summary>
    public bool RunUntil(Func<bool> condition, TimeSpan limit)
    {
        var end = Now + limit;
        while (!condition())
        {
            if (Now >= end) return false;
            Run(Step);
        }
        return true;
    }
}
