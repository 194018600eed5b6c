using Membership.Links;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster;

/// <content>What can be done to a cluster.</content>
internal sealed partial class Play
{
    private const string CopyName = "a datagram arrives twice";
    private static readonly string[] LossNames = [.. Enumerable.Range(0, 1 + (int)Enum.GetValues<DatagramKind>().Max()).Select(kind => $"loss of {(DatagramKind)kind}")];

    private readonly List<Loss> _losses = [];
    private ulong _mark;

    /// <summary>Which direction of which pair is cut now.</summary>
    private bool[,] Cuts { get; }

    /// <summary>A message of its own bytes to the raw ring.</summary>
    public void Submit(Host host, DeliveryLevel level, int bytes = 24) => host.Submit(Payload(bytes), level);

    /// <summary>The host's first session sends to its groups.</summary>
    public void SendToGroups(Host host, DeliveryLevel level, int session = 0, int bytes = 24) => host.SendToGroups(session, Payload(bytes), level);

    /// <summary>The machine stops at once. Without power nobody's connection is closed for it, so nobody gets a hint.</summary>
    public void Crash(Host host, bool isPowerLoss = false)
    {
        host.Crash();
        if (!isPowerLoss) return;
        for (var i = _pending.Count - 1; i >= 0; i--)
        {
            if (_pending[i].Kind == DueKind.Hint && _pending[i].Argument >> 8 == host.Position) _pending.Take(i);
        }
    }

    /// <summary>Machines of different sides do not hear each other; those of one side do.</summary>
    /// <param name="sides">By position.</param>
    public void Split(params ReadOnlySpan<int> sides)
    {
        for (var from = 0; from < sides.Length; from++)
        {
            for (var to = 0; to < sides.Length; to++) CutPath(from, to, sides[from] != sides[to]);
        }
    }

    /// <summary>What one sends does not reach the other any more, or does again.</summary>
    public void CutPath(int from, int to, bool isCut)
    {
        if (from == to || Cuts[from, to] == isCut) return;
        Cuts[from, to] = isCut;
        World.Network.Cut(from, to, 0, isCut ? 1 : -1);
    }

    public void Heal()
    {
        for (var from = 0; from < Hosts.Count; from++)
        {
            for (var to = 0; to < Hosts.Count; to++) CutPath(from, to, false);
        }
    }

    /// <summary>Of the datagrams of a kind (to a machine, counted per target) the one with this number, from 0 on, is lost.</summary>
    public void Lose(DatagramKind kind, int number, int? target = null)
    {
        _losses.Add(new Loss(kind, target) { Left = number });
        _done.TryAdd(LossNames[(int)kind], 0);
    }

    /// <summary>A datagram that is pending arrives twice; without effect while there is none.</summary>
    public void Duplicate(int number)
    {
        _done.TryAdd(CopyName, 0);
        var seen = 0;
        for (var i = 0; i < _pending.Count; i++)
        {
            if (_pending[i] is not { Kind: DueKind.Datagram, Datagram: { } datagram } due || seen++ != number) continue;
            _done[CopyName]++;
            World.Replay(datagram.From, datagram.Link, due.Node, datagram.Bytes);
            return;
        }
    }

    /// <summary>An operator gives a machine a key file.</summary>
    public static void GiveKeys(Host host, params ReadOnlySpan<(byte Id, bool IsActive)> keys)
    {
        var ring = new ClusterKey[keys.Length];
        for (var i = 0; i < keys.Length; i++) ring[i] = new ClusterKey(keys[i].Id, keys[i].IsActive, Secret(keys[i].Id));
        host.ReplaceKeys(ring);
    }

    private static byte[] Secret(byte id)
    {
        if (id == World.FirstKeys[0].Id) return World.FirstKeys[0].Secret;
        var secret = new byte[World.FirstKeys[0].Secret.Length];
        secret.AsSpan().Fill(id);
        return secret;
    }

    /// <summary>No two are alike.</summary>
    private byte[] Payload(int bytes)
    {
        var payload = new byte[bytes];
        BitConverter.TryWriteBytes(payload, ++_mark);
        return payload;
    }

    private bool OnSent(Datagram datagram, int to)
    {
        if (_losses.Count == 0) return false;
        var kind = Peek.Of(datagram.Bytes);
        for (var i = 0; i < _losses.Count; i++)
        {
            var loss = _losses[i];
            if (loss.Kind != kind || (loss.Target is { } target && target != to) || loss.Left-- > 0) continue;
            _losses.RemoveAt(i);
            _done[LossNames[(int)kind]]++;
            return true;
        }
        return false;
    }

    /// <summary>One datagram to lose.</summary>
    private sealed class Loss(DatagramKind kind, int? target)
    {
        public DatagramKind Kind { get; } = kind;

        public int? Target { get; } = target;

        /// <summary>So many pass before it.</summary>
        public int Left { get; set; }
    }
}
