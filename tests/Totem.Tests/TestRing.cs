using Membership.Links;

namespace Membership.Totem.Tests;

/// <summary>A few rings nodes on virtual time over ideal links; tests cut pairs, drop packets and step time.</summary>
internal sealed class TestRing
{
    private readonly PriorityQueue<Action, (long, long)> _events = new();
    private readonly HashSet<(int, int)> _cuts = [];
    private long _order;

    public TestRing(int nodes, Func<TotemOptions, TotemOptions>? configure = null)
    {
        Table = new NodeTable(Enumerable.Range(1, nodes).Select(i => new NodeId((ushort)i)));
        for (var i = 0; i < nodes; i++)
        {
            var options = new TotemOptions { Nodes = Table, Self = Table[i] };
            Nodes.Add(new TestNode(this, i, configure?.Invoke(options) ?? options));
        }
    }

    public NodeTable Table { get; }

    public List<TestNode> Nodes { get; } = [];

    public Instant Now { get; private set; }

    public TimeSpan Hop { get; set; } = TimeSpan.FromMicroseconds(100);

    /// <summary>True drops the packet.</summary>
    public Func<int, int, byte[], bool> Drop { get; set; } = (_, _, _) => false;

    public TestNode this[int node] => Nodes[node - 1];

    public void StartAll()
    {
        foreach (var node in Nodes) node.Start();
        foreach (var node in Nodes)
        {
            foreach (var other in Nodes.Where(other => other != node)) node.Gain(other.Position);
        }
    }

    public void At(TimeSpan after, Action action) => _events.Enqueue(action, ((Now + after).Nanoseconds, _order++));

    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (true)
        {
            var next = Nodes.Where(node => node.IsUp).Select(node => node.Core.NextDeadline).DefaultIfEmpty(Instant.Never).Min();
            var hasEvent = _events.TryPeek(out _, out var key);
            var at = hasEvent && key.Item1 <= next.Nanoseconds ? new Instant(key.Item1) : next;
            if (at > end) break;
            if (at > Now) Now = at;
            if (hasEvent && key.Item1 <= next.Nanoseconds) _events.Dequeue()();
            else foreach (var node in Nodes.Where(node => node.IsUp && node.Core.NextDeadline <= Now)) node.Tick();
        }

        Now = end;
    }

    /// <summary>Runs until the condition holds; false when it does not within the limit.</summary>
    public bool RunUntil(Func<bool> condition, TimeSpan limit)
    {
        var end = Now + limit;
        while (!condition())
        {
            if (Now >= end) return false;
            Run(TimeSpan.FromMilliseconds(1));
        }

        return true;
    }

    public void Carry(int from, int to, byte[] packet)
    {
        if (_cuts.Contains((from, to)) || Drop(from + 1, to + 1, packet)) return;
        var boot = Nodes[from].Boot;
        At(Hop, () =>
        {
            if (Nodes[to].IsUp && !_cuts.Contains((from, to))) Nodes[to].Packet(from, boot, packet);
        });
    }

    /// <summary>Cuts a pair both ways and tells both links.</summary>
    public void Cut(int left, int right)
    {
        _cuts.Add((left - 1, right - 1));
        _cuts.Add((right - 1, left - 1));
        this[left].Lose(right - 1);
        this[right].Lose(left - 1);
        SpreadRows();
    }

    public void Heal(int left, int right)
    {
        _cuts.Remove((left - 1, right - 1));
        _cuts.Remove((right - 1, left - 1));
        this[left].Gain(right - 1);
        this[right].Gain(left - 1);
        SpreadRows();
    }

    public void Crash(int node)
    {
        this[node].IsUp = false;
        At(TimeSpan.FromMilliseconds(120), () =>
        {
            foreach (var other in Nodes.Where(other => other.IsUp)) other.Lose(node - 1);
            SpreadRows();
        });
    }

    public void Restart(int node)
    {
        this[node].Restart();
        foreach (var other in Nodes.Where(other => other.IsUp && other != this[node]))
        {
            other.Gain(node - 1);
            this[node].Gain(other.Position);
        }

        SpreadRows();
    }

    private void SpreadRows() => At(TimeSpan.FromMilliseconds(1), () =>
    {
        foreach (var node in Nodes.Where(node => node.IsUp))
        {
            foreach (var other in node.Reached) Nodes[other].Row(node.Position, node.Boot, node.Reached.With(node.Position));
        }
    });
}

/// <summary>One node of a <see cref="TestRing"/> and everything it did.</summary>
internal sealed class TestNode : ITotemEffects
{
    private readonly TestRing _ring;
    private readonly TotemOptions _options;
    private ulong _reserved = 2048;

    public TestNode(TestRing ring, int position, TotemOptions options)
    {
        (_ring, Position, _options) = (ring, position, options);
        Boot = new BootId(7, ((ulong)(position + 1) << 32) + 1);
        Core = new TotemNode(options, Boot.Short, 0, _reserved, 1400);
    }

    public int Position { get; }

    public BootId Boot { get; private set; }

    public TotemNode Core { get; private set; }

    public bool IsUp { get; set; } = true;

    public NodeSet Reached { get; private set; }

    public List<string> Log { get; } = [];

    public List<View> Views { get; } = [];

    public List<(Delivery Delivery, string Text, int Length)> Messages { get; } = [];

    public List<ulong> Failures { get; } = [];

    public List<TotemFact> Facts { get; } = [];

    /// <summary>What it last said about all members having been in a ring.</summary>
    public (RingId Ring, Instant Since)? Confirmed { get; private set; }

    public bool HasLeft { get; private set; }

    public void Start() => Core.Start(_ring.Now, this);

    public void Restart()
    {
        Boot = new BootId(7, Boot.Low + 1);
        Core = new TotemNode(_options, Boot.Short, _reserved, _reserved + 1024, 1400);
        _reserved += 1024;
        IsUp = true;
        Reached = NodeSet.Empty;
        Core.Start(_ring.Now, this);
    }

    public void Tick() => Core.OnTick(_ring.Now, this);

    public void Packet(int from, BootId boot, byte[] packet) => Core.OnPacket(_ring.Now, _ring.Table[from], boot, packet, this);

    public void Gain(int other)
    {
        Reached = Reached.With(other);
        Core.OnPeer(_ring.Now, _ring.Table[other], _ring.Nodes[other].Boot, PeerState.Reachable, PeerReason.Handshake, this);
    }

    public void Lose(int other, PeerReason reason = PeerReason.Silent)
    {
        Reached = Reached.Without(other);
        Core.OnPeer(_ring.Now, _ring.Table[other], _ring.Nodes[other].Boot, PeerState.Dead, reason, this);
    }

    public void Row(int other, BootId boot, NodeSet hears) => Core.OnRow(_ring.Now, _ring.Table[other], boot, hears, this);

    public void Submit(string text, DeliveryLevel level = DeliveryLevel.Agreed) => Submit(System.Text.Encoding.UTF8.GetBytes(text), level);

    public SubmitResult Submit(byte[] payload, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        var result = Core.Submit(payload, level, 0);
        Core.OnSubmitted(_ring.Now, this);
        return result;
    }

    public string Texts => string.Join(' ', Messages.Select(m => m.Text));

    void ITotemEffects.Send(NodeSet targets, ReadOnlySpan<byte> packet)
    {
        foreach (var to in targets.Without(Position)) _ring.Carry(Position, to, packet.ToArray());
    }

    void ITotemEffects.SendTo(int target, ReadOnlySpan<byte> packet) => _ring.Carry(Position, target, packet.ToArray());

    void ITotemEffects.Flush()
    {
    }

    void ITotemEffects.Deliver(in Delivery delivery, ReadOnlySpan<byte> payload)
    {
        var text = payload.Length <= 40 ? System.Text.Encoding.UTF8.GetString(payload) : Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(payload))[..8];
        Messages.Add((delivery, text, payload.Length));
        Log.Add($"{delivery.Ring}/{delivery.Seq}.{delivery.Index} {text}");
    }

    void ITotemEffects.InstallView(View view)
    {
        Views.Add(view);
        Log.Add($"view {view.Id} {string.Join(',', view.Members.Select(m => m.Node))}");
    }

    void ITotemEffects.RingConfirmed(RingId ring, Instant since) => Confirmed = (ring, since);

    void ITotemEffects.Failed(ulong counter) => Failures.Add(counter);

    void ITotemEffects.Reserve(ulong upTo) => _ring.At(TimeSpan.FromMilliseconds(1), () =>
    {
        _reserved = Math.Max(_reserved, upTo);
        if (IsUp) Core.OnReserved(_ring.Now, upTo, this);
    });

    void ITotemEffects.Neighbours(NodeSet neighbours)
    {
    }

    void ITotemEffects.Suspect()
    {
    }

    void ITotemEffects.Fact(TotemFact fact)
    {
        Facts.Add(fact);
        Log.Add(fact.ToString());
    }

    void ITotemEffects.Left() => HasLeft = true;
}
