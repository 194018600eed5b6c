using System.Buffers.Binary;
using Membership.V1;

namespace Membership.Cli.Demo;

/// <summary>One node as the demo sees it.</summary>
internal sealed class NodePicture(int id)
{
    /// <summary>1 and up.</summary>
    public int Id { get; } = id;

    /// <summary>The process, null while there is none.</summary>
    public int? ProcessId { get; set; }

    /// <summary>The regular view it is in; null while its stream is away.</summary>
    public View? View { get; set; }

    /// <summary>It is on the way to another view.</summary>
    public bool InTransition { get; set; }

    /// <summary>Its last answer; null when the last question got none.</summary>
    public GetStatusResponse? Status { get; set; }

    /// <summary>Messages it delivered since the start of the demo, all its starts together.</summary>
    public long Delivered { get; set; }

    /// <summary>Messages it delivered per second, lately.</summary>
    public double Rate { get; set; }

    /// <summary>It was frozen until then (timestamp of the demo's clock), or null.</summary>
    public long? FrozenUntil { get; set; }

    /// <summary>Members of its view, ascending; empty without a view.</summary>
    public IReadOnlyList<int> Members => View is null ? [] : [.. View.Members.Select(member => (int)member.Node)];

    internal long RateCount { get; set; }

    internal long RateSince { get; set; }
}

/// <summary>Everything the demo knows, owned by one loop: changed by events, read by the screen, the tour and the log.</summary>
internal sealed class ClusterPicture
{
    /// <summary>Last happenings kept for the screen.</summary>
    public const int HappeningsMax = 200;

    private static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(1);
    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly List<Happening> _happenings = [];

    /// <summary>A picture of nodes 1 to <paramref name="nodes"/>, none of them started.</summary>
    public ClusterPicture(int nodes, TimeProvider time)
    {
        _time = time;
        _origin = time.GetTimestamp();
        Nodes = [.. Enumerable.Range(1, nodes).Select(id => new NodePicture(id) { RateSince = _origin })];
    }

    /// <summary>All nodes, ascending.</summary>
    public IReadOnlyList<NodePicture> Nodes { get; }

    /// <summary>The comparison of what they deliver.</summary>
    public OrderBook Order { get; } = new();

    /// <summary>The faults in force.</summary>
    public FaultPlan Faults { get; private set; } = FaultPlan.None;

    /// <summary>Receipts for messages of the demo's own pump.</summary>
    public long Receipts { get; private set; }

    /// <summary>Messages that got a failure for a receipt.</summary>
    public long Failed { get; private set; }

    /// <summary>Daemons that ended although nobody had asked them to, in words.</summary>
    public IReadOnlyList<string> Surprises => _surprises;

    /// <summary>What happened lately, oldest first.</summary>
    public IReadOnlyList<Happening> Happenings => _happenings;

    private readonly List<string> _surprises = [];

    /// <summary>The node with a number.</summary>
    public NodePicture this[int node] => Nodes[node - 1];

    /// <summary>Time since the demo began.</summary>
    public TimeSpan Elapsed => _time.GetElapsedTime(_origin);

    /// <summary>Do exactly these nodes share one view that holds exactly them?</summary>
    public bool IsOneView(IEnumerable<int> nodes)
    {
        var wanted = nodes.Order().ToList();
        var first = this[wanted[0]].View;
        return first is not null && wanted.All(node => this[node].View?.Id == first.Id && !this[node].InTransition && this[node].Members.SequenceEqual(wanted));
    }

    /// <summary>Takes in one event; returns what is worth a line, or null.</summary>
    public string? Apply(DemoEvent what)
    {
        var line = Change(what);
        if (line is null) return null;
        _happenings.Add(new Happening(Elapsed, line));
        if (_happenings.Count > HappeningsMax) _happenings.RemoveAt(0);
        return line;
    }

    private string? Change(DemoEvent what)
    {
        switch (what)
        {
            case DemoEvent.Started started:
                this[started.Node].ProcessId = started.ProcessId;
                return $"n{started.Node} started (process {started.ProcessId})";
            case DemoEvent.Exited exited:
                return OnExited(exited);
            case DemoEvent.StreamBegan began:
                Order.Begin(began.Node);
                return null;
            case DemoEvent.Stream stream:
                return OnStream(this[stream.Node], stream.Piece);
            case DemoEvent.StreamEnded ended:
                Order.End(ended.Node);
                this[ended.Node].View = null;
                this[ended.Node].InTransition = false;
                return ended.Why is null ? null : $"n{ended.Node}: stream ended: {ended.Why}";
            case DemoEvent.Status status:
                this[status.Node].Status = status.Answer;
                return null;
            case DemoEvent.Receipts receipts:
                Receipts += receipts.Delivered;
                Failed += receipts.Failed;
                return null;
            case DemoEvent.Faults faults:
                Faults = faults.Plan;
                return $"faults: {faults.Plan.Describe(Nodes.Count)}";
            case DemoEvent.Frozen frozen:
                this[frozen.Node].FrozenUntil = _time.GetTimestamp() + (long)(frozen.For.TotalSeconds * _time.TimestampFrequency);
                return $"n{frozen.Node} frozen for {frozen.For.TotalSeconds:0.#} s";
            case DemoEvent.Note note:
                return note.Text;
            case DemoEvent.Tick:
                UpdateRates();
                return null;
            default:
                throw new System.Diagnostics.UnreachableException($"an unknown event: {what}");
        }
    }

    private string OnExited(DemoEvent.Exited exited)
    {
        var node = this[exited.Node];
        node.ProcessId = null;
        node.Status = null;
        node.View = null;
        node.FrozenUntil = null;
        if (exited.Expected) return $"n{exited.Node} ended (exit code {exited.Code})";
        var surprise = $"n{exited.Node} ended by itself with exit code {exited.Code}";
        _surprises.Add(surprise);
        return surprise;
    }

    private string? OnStream(NodePicture node, SubscribeResponse piece)
    {
        string? line = null;
        foreach (var item in piece.Events)
        {
            switch (item.EventCase)
            {
                case RingEvent.EventOneofCase.View:
                    line = OnView(node, item.View);
                    break;
                case RingEvent.EventOneofCase.Message:
                    OnMessage(node, item.Message);
                    break;
                case RingEvent.EventOneofCase.Cut:
                    line = $"n{node.Id}: stream cut off: {item.Cut.Reason}";
                    break;
                default:
                    break; // an event of a newer daemon
            }
        }

        return line;
    }

    private string? OnView(NodePicture node, View view)
    {
        Order.EnterView(node.Id, view.Id);
        node.InTransition = view.Transitional;
        if (view.Transitional) return null;
        node.View = view;
        return $"n{node.Id}: view {view.Number} with {DemoText.Nodes(node.Members)}";
    }

    private void OnMessage(NodePicture node, RingMessage message)
    {
        node.Delivered++;
        var payload = message.Sha256.Length >= sizeof(ulong) ? BinaryPrimitives.ReadUInt64BigEndian(message.Sha256.Span) : 0;
        Order.Deliver(node.Id, new Delivered(message.Seq, message.Index, message.Sender, message.Counter, payload));
    }

    private void UpdateRates()
    {
        foreach (var node in Nodes)
        {
            var passed = _time.GetElapsedTime(node.RateSince);
            if (passed < RateWindow) continue;
            node.Rate = (node.Delivered - node.RateCount) / passed.TotalSeconds;
            node.RateCount = node.Delivered;
            node.RateSince = _time.GetTimestamp();
            if (node.FrozenUntil < node.RateSince) node.FrozenUntil = null;
        }
    }
}

/// <summary>One line of the demo's history.</summary>
/// <param name="At">Since the demo began.</param>
/// <param name="Text">What happened.</param>
internal sealed record Happening(TimeSpan At, string Text);
