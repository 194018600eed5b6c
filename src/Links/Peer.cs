namespace Membership.Links;

/// <summary>The accepted boot of a peer: its receiving ciphers and replay windows. Made only after the boot answered our own challenge.</summary>
internal sealed class Session : IDisposable
{
    private readonly ReplayWindow[] _windows;
    private readonly SealAlgorithm _algorithm;
    private readonly NodeId _node;
    private ICipher[,] _ciphers;

    public Session(KeyRing keys, NodeId node, BootId boot, int links, SealAlgorithm algorithm)
    {
        Boot = boot;
        _node = node;
        _algorithm = algorithm;
        _windows = new ReplayWindow[links];
        for (var link = 0; link < links; link++) _windows[link] = new ReplayWindow();
        _ciphers = Derive(keys);
    }

    public BootId Boot { get; }

    /// <summary>True after the peer said it leaves: nothing of this boot is accepted any more.</summary>
    public bool HasLeft { get; set; }

    public ICipher Cipher(int slot, LinkId link) => _ciphers[slot, link.Index];

    public ReplayWindow Window(LinkId link) => _windows[link.Index];

    /// <summary>Opens with other keys from now on; boots and windows stay.</summary>
    public void Rekey(KeyRing keys)
    {
        Dispose();
        _ciphers = Derive(keys);
    }

    public void Dispose()
    {
        foreach (var cipher in _ciphers) cipher.Dispose();
    }

    private ICipher[,] Derive(KeyRing keys)
    {
        var ciphers = new ICipher[keys.Count, _windows.Length];
        for (var slot = 0; slot < keys.Count; slot++)
            for (byte link = 0; link < _windows.Length; link++)
                ciphers[slot, link] = keys.Traffic(slot, _node, Boot, new LinkId(link), _algorithm);
        return ciphers;
    }
}

/// <summary>All that is known of one peer.</summary>
internal sealed class Peer
{
    public Peer(int position, NodeId node, LinkOptions options)
    {
        Position = position;
        Node = node;
        Set = NodeSet.Of(position);
        Links = new PeerLink[options.LinkCount];
        for (byte i = 0; i < Links.Length; i++) Links[i] = new PeerLink(new LinkId(i), options);
    }

    public int Position { get; }

    public NodeId Node { get; }

    /// <summary>The set of this peer alone.</summary>
    public NodeSet Set { get; }

    public PeerLink[] Links { get; }

    /// <summary>Null until a boot proved itself.</summary>
    public Session? Session { get; set; }

    /// <summary>Product version of the last boot that answered our challenge or was found incompatible; empty until then.</summary>
    public string Product { get; set; } = "";

    public PeerState State { get; set; }

    /// <summary>With whom the peer says it has two-way contact; null until it said so.</summary>
    public NodeSet? Row { get; set; }

    /// <summary>Links that carry frames to it, one bit each; 0 when there is no way.</summary>
    public byte Routes { get; set; }

    /// <summary>The one link that carries passive traffic; valid while <see cref="Routes"/> is not 0.</summary>
    public LinkId Best { get; set; }

    /// <summary>When an unauthenticated hint started a burst whose verdict is due; null without one.</summary>
    public Instant? HintAt { get; set; }

    /// <summary>The others were told of the present silence.</summary>
    public bool IsToldOf { get; set; }

    /// <summary>When the others were last told.</summary>
    public Instant ToldAt { get; set; } = new(long.MinValue / 2);

    /// <summary>Our challenge that is not answered yet.</summary>
    public ChallengeBits Challenge { get; set; }

    public Instant ChallengeSince { get; set; }

    /// <summary>The challenge that the present boot answered; copies of the answer on other links are no news.</summary>
    public ChallengeBits Answered { get; set; }

    /// <summary>When an incompatibility was last reported.</summary>
    public Instant? IncompatibleAt { get; set; }

    public Reassembly Fragments { get; } = new();

    public bool HearsAny
    {
        get
        {
            foreach (var link in Links)
                if (link.Hears) return true;
            return false;
        }
    }

    /// <summary>Bit per link on which the peer is heard.</summary>
    public byte HeardLinks
    {
        get
        {
            var bits = 0;
            foreach (var link in Links)
                if (link.Hears) bits |= 1 << link.Id.Index;
            return (byte)bits;
        }
    }

    /// <summary>Slowest measured round trip over its links; zero while none is measured.</summary>
    public TimeSpan RttMax
    {
        get
        {
            var max = TimeSpan.Zero;
            foreach (var link in Links)
                if (link.Rtt is { } rtt && rtt > max) max = rtt;
            return max;
        }
    }
}

/// <summary>One link to one peer: what is heard on it, what is due on it.</summary>
internal sealed class PeerLink(LinkId id, LinkOptions options)
{
    public LinkId Id { get; } = id;

    /// <summary>An authentic datagram came lately enough.</summary>
    public bool Hears { get; set; }

    /// <summary>The peer's latest report says that it hears us here.</summary>
    public bool HeardByPeer { get; set; }

    /// <summary>Last state told upwards.</summary>
    public LinkState State { get; set; }

    public Instant? LastHeard { get; set; }

    /// <summary>The peer promises a report every pace here (else at the far pace).</summary>
    public bool PeerIsNear { get; set; } = true;

    /// <summary>When the next heartbeat (or hello) goes out.</summary>
    public Instant NextBeat { get; set; } = Instant.Never;

    /// <summary>The next heartbeat carries news: other traffic does not stand in for it.</summary>
    public bool HasNews { get; set; }

    /// <summary>News or first contact: the next heartbeat leaves at <paramref name="at"/> at the latest.</summary>
    public void BeatBy(Instant at)
    {
        HasNews = true;
        if (at < NextBeat) NextBeat = at;
    }

    public Instant LastBeat { get; set; } = new(long.MinValue / 2);

    /// <summary>When anything sealed last went out to it here.</summary>
    public Instant LastSent { get; set; } = new(long.MinValue / 2);

    /// <summary>Counts our reports here.</summary>
    public uint Sequence { get; set; }

    /// <summary>A series of probes is under way.</summary>
    public bool IsProbing { get; set; }

    /// <summary>Silence is counted from here (or from when it was last heard, if that is later).</summary>
    public Instant SilentSince { get; set; }

    /// <summary>Probes since the series began, none answered.</summary>
    public int Unanswered { get; set; }

    /// <summary>Probes of the burst still to go at the burst's pace.</summary>
    public int BurstLeft { get; set; }

    public Instant NextProbe { get; set; }

    public Instant LastProbe { get; set; }

    /// <summary>The peer's latest stamp and when it came; echoed in our reports.</summary>
    public uint TheirStamp { get; set; }

    public Instant TheirStampAt { get; set; }

    /// <summary>Smoothed round trip; null until measured.</summary>
    public TimeSpan? Rtt { get; set; }

    /// <summary>Every round trip measured.</summary>
    public DurationHistogram RoundTrips { get; } = new();

    public LossMeter Loss { get; } = new();

    public PathSearch Path { get; } = new(options.DatagramBytesMin, options.DatagramBytesMax);

    /// <summary>Handshake messages answered in the second that began at <see cref="AnswersSince"/>.</summary>
    public int Answers { get; set; }

    public Instant AnswersSince { get; set; }

    /// <summary>Forgets what belonged to an earlier boot of the peer; the path's size is kept.</summary>
    public void Reset()
    {
        Hears = HeardByPeer = IsProbing = false;
        PeerIsNear = true;
        LastHeard = null;
        Sequence = TheirStamp = 0;
        Unanswered = BurstLeft = 0;
        Rtt = null;
        Loss.Reset();
    }
}
