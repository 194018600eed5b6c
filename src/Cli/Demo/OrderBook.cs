namespace Membership.Cli.Demo;

/// <summary>Compares what several nodes deliver, message by message, and says whether all of them saw one order.</summary>
/// <remarks>
/// Nodes in different components have different histories, so messages are compared per view as delivered in: two nodes that share a
/// view must deliver the same messages in it, and two that go from one view to the same next view must have delivered the same set in the
/// first. A node whose stream begins in the middle of a view is placed by the first of its messages that others delivered too.
/// Single-threaded.
/// </remarks>
internal sealed class OrderBook
{
    /// <summary>Deliveries of one node that wait for the others to reach them.</summary>
    private const int WaitingMax = 100_000;

    /// <summary>Differences kept word for word; more are counted.</summary>
    private const int DifferencesMax = 20;

    private readonly Dictionary<string, OrderLedger> _ledgers = [];
    private readonly SortedDictionary<int, Reader> _readers = [];
    private readonly List<string> _differences = [];
    private long _confirmedInClosedViews;

    /// <summary>What was delivered differently; empty while the order is one.</summary>
    public IReadOnlyList<string> Differences => _differences;

    /// <summary>How many differences there were, the ones not kept included.</summary>
    public long DifferenceCount { get; private set; }

    /// <summary>Messages delivered by at least two nodes, all views together.</summary>
    public long Confirmed => _confirmedInClosedViews + _ledgers.Values.Sum(ledger => ledger.Confirmed);

    /// <summary>A node's stream begins, somewhere in its present view.</summary>
    public void Begin(int node)
    {
        End(node);
        _readers[node] = new Reader(node);
    }

    /// <summary>A node's stream has ended (it was killed, or cut off).</summary>
    public void End(int node)
    {
        _readers.Remove(node);
        ForgetUnread();
    }

    /// <summary>A view in a node's stream. The first one of a stream is the view it begins in.</summary>
    public void EnterView(int node, string view)
    {
        var reader = _readers[node];
        var left = reader.Ledger;
        if (left is not null && reader.Next is { } count && !left.Leave(view, count))
        {
            Differ($"n{node} went from view {left.View} to {view} after {count} messages, another node after a different set");
        }

        if (!_ledgers.TryGetValue(view, out var ledger)) _ledgers[view] = ledger = new OrderLedger(view);
        reader.Ledger = ledger;
        reader.IsFromStart = left is not null;
        reader.Next = reader.IsFromStart && (ledger.End == 0 || ledger.StartsAtViewStart) ? 0 : null;
        reader.Waiting.Clear();
        ForgetUnread();
    }

    /// <summary>A message in a node's stream.</summary>
    public void Deliver(int node, in Delivered message)
    {
        var reader = _readers[node];
        if (reader.Ledger is not { } ledger)
        {
            Differ($"n{node} delivered seq {message.Seq} before any view");
            return;
        }

        if (reader.Next is { } next && !ledger.Keeps(next)) reader.Next = null;
        var grown = reader.Next is { } ordinal ? Follow(reader, ledger, ordinal, message) : Place(reader, ledger, message);
        if (grown) PlaceWaiting(ledger);
    }

    /// <summary>The present state of every view some node is in, the largest first.</summary>
    public IReadOnlyList<ComponentOrder> Components() =>
        [.. _readers.Values
            .Where(reader => reader.Ledger is not null)
            .GroupBy(reader => reader.Ledger!) // filtered on the line above
            .Select(group => Describe(group.Key, [.. group]))
            .OrderByDescending(component => component.Nodes.Count)
            .ThenBy(component => component.Nodes[0])];

    private static ComponentOrder Describe(OrderLedger ledger, List<Reader> readers)
    {
        var placed = readers.Where(reader => reader.Next is not null).ToList();
        var common = placed.Count == 0 ? 0 : placed.Min(reader => reader.Next!.Value); // placed ones only
        var hash = ledger.Keeps(common) ? ledger.HashAt(common) : 0;
        return new ComponentOrder(ledger.View, [.. readers.Select(reader => reader.Node)], placed.Count, common, hash);
    }

    private bool Follow(Reader reader, OrderLedger ledger, long ordinal, in Delivered message)
    {
        reader.Next = ordinal + 1;
        if (ordinal == ledger.End)
        {
            ledger.Append(message, reader.IsFromStart);
            return true;
        }

        if (!ledger.Confirm(ordinal, message))
        {
            Differ($"message {ordinal} of view {ledger.View}: n{reader.Node} delivered {message}, another node {ledger.MessageAt(ordinal)}");
        }

        return false;
    }

    private bool Place(Reader reader, OrderLedger ledger, in Delivered message)
    {
        if (ledger.End == 0 && !_readers.Values.Any(other => other.Ledger == ledger && other.Next is not null))
        {
            reader.Next = 1;
            ledger.Append(message, isFirstOfView: false);
            return true;
        }

        var (standing, ordinal) = ledger.Find(message);
        switch (standing)
        {
            case Standing.Before:
                return false; // from before the comparison began
            case Standing.Here:
                return Follow(reader, ledger, ordinal, message);
            case Standing.After:
                if (reader.Waiting.Count < WaitingMax) reader.Waiting.Enqueue(message);
                else Differ($"n{reader.Node} is {WaitingMax} messages ahead of all other nodes in view {ledger.View}");
                return false;
            default:
                Differ($"n{reader.Node} delivered {message} in view {ledger.View}, which other nodes passed without it");
                return false;
        }
    }

    private void PlaceWaiting(OrderLedger ledger)
    {
        foreach (var reader in _readers.Values)
        {
            if (reader.Ledger != ledger || reader.Waiting.Count == 0) continue;
            if (ledger.Find(reader.Waiting.Peek()).Standing == Standing.After) continue;
            var waiting = reader.Waiting.ToArray();
            reader.Waiting.Clear();
            foreach (var message in waiting)
            {
                if (reader.Next is { } ordinal) Follow(reader, ledger, ordinal, message);
                else Place(reader, ledger, message);
            }
        }
    }

    // A view nobody is in any more still has to compare nodes that leave it late, so it is kept while any reader is in it or in its past.
    private void ForgetUnread()
    {
        if (_ledgers.Count <= LedgersMax) return;
        foreach (var ledger in _ledgers.Values.Where(ledger => _readers.Values.All(reader => reader.Ledger != ledger)).ToList())
        {
            _confirmedInClosedViews += ledger.Confirmed;
            _ledgers.Remove(ledger.View);
        }
    }

    /// <summary>Views kept after the last node left them, so that one that lags can still be compared.</summary>
    private const int LedgersMax = 64;

    private void Differ(string what)
    {
        DifferenceCount++;
        if (_differences.Count < DifferencesMax) _differences.Add(what);
    }

    private sealed class Reader(int node)
    {
        public int Node { get; } = node;

        public OrderLedger? Ledger { get; set; }

        /// <summary>Ordinal of its next message; null until its place is known.</summary>
        public long? Next { get; set; }

        /// <summary>It saw the view being installed, so its first message is the first of the view.</summary>
        public bool IsFromStart { get; set; }

        public Queue<Delivered> Waiting { get; } = [];
    }
}

/// <summary>The nodes that share one view, and how far they agree.</summary>
/// <param name="View">The view.</param>
/// <param name="Nodes">The nodes in it, ascending.</param>
/// <param name="Placed">How many of them have a known place in the order.</param>
/// <param name="Common">Messages of this view that all placed nodes have delivered.</param>
/// <param name="Hash">Running hash over exactly those.</param>
internal sealed record ComponentOrder(string View, IReadOnlyList<int> Nodes, int Placed, long Common, ulong Hash);
