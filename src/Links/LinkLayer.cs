using System.Security.Cryptography;

namespace Membership.Links;

/// <summary>All links of one node to all its peers: seals, opens, checks replay, watches who hears whom.</summary>
/// <remarks>Single-threaded, deterministic. The boot id and the seed of <c>random</c> are inputs from the host. Formats: docs/protocol/wire.md.</remarks>
public sealed partial class LinkLayer : IDisposable
{
    /// <summary>Bytes a frame may have however small the path: it then travels in up to 64 fragments.</summary>
    public const int FragmentedFrameBytesMax = 64 * 1024;

    /// <summary>What one peer's end makes due for the others is served in the same tick; anything left waits for the next.</summary>
    private const int TickPassesMax = 4;

    private readonly LinkOptions _options;
    private readonly BootId _boot;
    private readonly ICipherSuite _ciphers;
    private readonly Random _random;
    private readonly int _self;
    private readonly Peer?[] _table;
    private readonly Peer[] _peers;
    private readonly long[] _drops = new long[Enum.GetValues<DropReason>().Length];
    private readonly byte[] _product;
    private readonly byte[] _opened = GC.AllocateArray<byte>(ushort.MaxValue, pinned: true);
    private readonly byte[] _challengeSecret = GC.AllocateArray<byte>(KeyRing.KeyBytes, pinned: true);
    private KeyRing _keys;
    private Instant _nextDue = Instant.Never;
    private bool _hasLeft;

    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public LinkLayer(LinkOptions options, BootId boot, ICipherSuite ciphers, Random random)
    {
        CheckOptions(options);
        _options = options;
        _boot = boot;
        _ciphers = ciphers;
        _random = random;
        _self = options.Nodes.Position(options.Self);
        _table = new Peer?[options.Nodes.Count];
        for (var position = 0; position < _table.Length; position++)
            if (position != _self) _table[position] = new Peer(position, options.Nodes[position], options);
        _peers = [.. _table.OfType<Peer>()];
        _product = HandshakeBody.EncodeProduct(options.ProductVersion);
        _keys = new KeyRing(options.Keys, options.ClusterName, ciphers);
        _keys.DeriveChallengeSecret(options.Self, boot, _challengeSecret);
        _neighbours = options.Nodes.All.Without(_self);
        _reachable = NodeSet.Of(_self);
        _pace = options.LinkDown / 4;
        var retryPace = options.LinkDown * RetryPaceShare;
        _retryPace = retryPace > RetryPaceMin ? retryPace : RetryPaceMin;
        _linkOrder = OrderLinks(options);
        _sealing = new ICipher[options.LinkCount];
        _counters = new ulong[options.LinkCount];
        _batches = new SendBatch[options.LinkCount];
        for (byte link = 0; link < _batches.Length; link++)
        {
            _batches[link] = new SendBatch();
            _sealing[link] = DeriveSealing(link);
        }
        FrameBytesMax = options.DatagramBytesMin - FrameOverhead;
        _routedPathMin = options.DatagramBytesMin;
    }

    /// <summary>When <see cref="OnTick"/> is next due.</summary>
    public Instant NextDeadline => _hasLeft ? Instant.Never : _nextDue;

    /// <summary>Largest frame that travels in one datagram to every reachable peer, in bytes.</summary>
    public int FrameBytesMax { get; private set; }

    /// <summary>Peers with two-way contact, this node included.</summary>
    public NodeSet Reachable => _reachable;

    /// <summary>The boot of this node.</summary>
    public BootId Boot => _boot;

    /// <summary>Begins to talk to all peers.</summary>
    public void Start(Instant now, ILinkEffects effects)
    {
        foreach (var peer in _peers)
            foreach (var link in peer.Links) link.BeatBy(now);
        Arm(now);
        OnTick(now, effects);
    }

    /// <summary>One datagram as it came from the socket. <paramref name="source"/> is the configured owner of the source address on that
    /// link, or null when the address is not configured.</summary>
    public void OnDatagram(Instant now, LinkId link, NodeId? source, ReadOnlySpan<byte> datagram, ILinkEffects effects)
    {
        if (_hasLeft) return;
        if (!TryOpen(link, source, datagram, out var peer, out var header, out var body, out var reason)) { Drop(reason); return; }
        if (header.Class == WireClass.Handshake) OnHandshake(now, peer, peer.Links[link.Index], header, body, effects);
        else OnSealed(now, peer, peer.Links[link.Index], datagram.Length, body, effects);
        FlushControl(effects);
    }

    /// <summary>Does what is due; an early or repeated call does nothing.</summary>
    public void OnTick(Instant now, ILinkEffects effects)
    {
        if (now < _nextDue || _hasLeft) return;
        for (var pass = 0; pass < TickPassesMax && _nextDue <= now; pass++) ServeAll(now, effects);
        FlushControl(effects);
    }

    /// <summary>Unauthenticated evidence about a peer: starts a burst of probes.</summary>
    public void OnHint(Instant now, NodeId peer, LinkHint hint, ILinkEffects effects)
    {
        if (_hasLeft || !_options.Nodes.TryPosition(peer, out var position) || _table[position] is not { } hinted) return;
        if (!hinted.HearsAny || hinted.HintAt is not null) return;
        hinted.HintAt = now;
        Arm(HintDeadline(hinted, now));
        foreach (var link in hinted.Links) BeginProbes(now, hinted, link, SilenceBase(link, now), isBurst: true);
        Tell(now, hinted, effects);
        FlushControl(effects);
    }

    /// <summary>The layer above suspects somebody (token lost): probe every reachable peer not heard within one pace.</summary>
    public void OnSuspicion(Instant now, ILinkEffects effects)
    {
        if (_hasLeft) return;
        ProbeQuietPeers(now, now);
        if (_toldAll is { } told && now < told + _pace) return;
        _toldAll = now;
        SendSuspicion(now, NodeSet.Empty, _reachable.Without(_self), TimeSpan.Zero, effects);
        FlushControl(effects);
    }

    /// <summary>This node slept: evidence gathered before <paramref name="now"/> is void; every peer gets a fresh link_down to be heard in.</summary>
    public void OnStall(Instant now)
    {
        _evidenceFrom = now;
        foreach (var peer in _peers)
        {
            peer.HintAt = null;
            peer.IsToldOf = false;
            foreach (var link in peer.Links)
            {
                EndProbes(link);
                link.BeatBy(now);
            }
        }
        Arm(now);
    }

    /// <summary>Sets the ring neighbours, who get heartbeats every link_down/4 (the others every 2 s).</summary>
    public void SetNeighbours(Instant now, NodeSet neighbours, ILinkEffects effects)
    {
        var changed = (neighbours - _neighbours) | (_neighbours - neighbours);
        _neighbours = neighbours;
        foreach (var position in changed & _options.Nodes.All.Without(_self))
        {
            if (_table[position] is not { Session: not null } peer) continue;
            foreach (var link in peer.Links) link.BeatBy(now);
            Arm(now);
        }
    }

    /// <summary>Says to every peer that this boot ends (twice, against loss), then falls silent for good.</summary>
    public void Leave(Instant now, ILinkEffects effects)
    {
        if (_hasLeft) return;
        Flush(effects);
        for (var copy = 0; copy < 2; copy++)
            foreach (var link in _linkOrder) SendToSet(now, link, Acquainted(), BodyKind.Leaving, default, effects);
        Flush(effects);
        _hasLeft = true;
    }

    /// <summary>Opens and seals with other keys from now on; sessions, counters and replay windows stay.</summary>
    /// <exception cref="ArgumentException">See <see cref="LinkOptions.Keys"/>; nothing has changed.</exception>
    public void ReplaceKeys(IReadOnlyList<ClusterKey> keys, ILinkEffects effects)
    {
        var ring = new KeyRing(keys, _options.ClusterName, _ciphers);
        Flush(effects);
        _keys.Dispose();
        _keys = ring;
        foreach (var peer in _peers) peer.Session?.Rekey(ring);
        for (byte link = 0; link < _sealing.Length; link++)
        {
            _sealing[link].Dispose();
            _sealing[link] = DeriveSealing(link);
        }
    }

    /// <summary>How many datagrams were dropped for a reason.</summary>
    public long Dropped(DropReason reason) => _drops[(int)reason];

    /// <summary>What is known of every link to every peer, for status.</summary>
    public IReadOnlyList<PeerStatus> Describe(Instant now) =>
        [.. _peers.Select(peer => new PeerStatus(
            peer.Node, peer.Session?.Boot ?? default, peer.Product, peer.State, peer.Row ?? NodeSet.Empty,
            [.. peer.Links.Select(link => new LinkStatus(
                link.Id, link.State, link.Hears, link.HeardByPeer, link.Rtt, link.Loss.Value, link.Path.Bytes,
                link.LastHeard is { } heard ? now - heard : null, link.RoundTrips.Read()))]))];

    /// <summary>Zeroes all keys.</summary>
    public void Dispose()
    {
        _keys.Dispose();
        foreach (var cipher in _sealing) cipher.Dispose();
        foreach (var peer in _peers) peer.Session?.Dispose();
        CryptographicOperations.ZeroMemory(_challengeSecret);
    }

    private static void CheckOptions(LinkOptions options)
    {
        if (options.LinkCount is < 1 or > LinkId.Max) throw new ArgumentException($"1 to {LinkId.Max} links, not {options.LinkCount}", nameof(options));
        if (options.DatagramBytesMin < SmallestPathBytes || options.DatagramBytesMin > options.DatagramBytesMax || options.DatagramBytesMax > SendBatch.BytesMax)
        {
            throw new ArgumentException(
                $"datagrams of {options.DatagramBytesMin} to {options.DatagramBytesMax} bytes; {SmallestPathBytes} to {SendBatch.BytesMax} are possible", nameof(options));
        }
        if (options.LinkDown <= TimeSpan.Zero || options.FarHeartbeat <= TimeSpan.Zero) throw new ArgumentException("times must be positive", nameof(options));
    }

    private void ServeAll(Instant now, ILinkEffects effects)
    {
        _nextDue = Instant.Never;
        foreach (var peer in _peers)
        {
            JudgeHint(now, peer, effects);
            foreach (var link in peer.Links) Serve(now, peer, link, effects);
        }
    }

    private void Drop(DropReason reason) => _drops[(int)reason]++;

    private void Arm(Instant at)
    {
        if (at < _nextDue) _nextDue = at;
    }

    private ICipher DeriveSealing(byte link) =>
        _keys.Traffic(_keys.Active, _options.Self, _boot, new LinkId(link), _ciphers.Preferred);

    private static LinkId[] OrderLinks(LinkOptions options) =>
        [.. Enumerable.Range(0, options.LinkCount)
            .OrderByDescending(link => link < options.Priorities.Count ? options.Priorities[link] : 1)
            .ThenBy(link => link)
            .Select(link => new LinkId((byte)link))];
}

/// <summary>One peer for status.</summary>
/// <param name="Node">The peer.</param>
/// <param name="Boot">Its accepted boot; none until one proved itself.</param>
/// <param name="ProductVersion">What its last handshake said, at most 32 printable characters; empty until one came that answered our challenge or was refused as incompatible.</param>
/// <param name="State">How it is reached.</param>
/// <param name="Hears">With whom it has two-way contact, by its own word.</param>
/// <param name="Links">Each link to it.</param>
public sealed record PeerStatus(NodeId Node, BootId Boot, string ProductVersion, PeerState State, NodeSet Hears, IReadOnlyList<LinkStatus> Links);

/// <summary>One link to one peer for status. <c>Rtt</c> is smoothed and null until measured, <c>RoundTrips</c> holds every measurement; <c>Loss</c> is 0 to 1 over the last minute; null until known.</summary>
public sealed record LinkStatus(LinkId Link, LinkState State, bool Hears, bool HeardByPeer, TimeSpan? Rtt, double? Loss, int DatagramBytes, TimeSpan? LastHeard, DurationCounts RoundTrips);
