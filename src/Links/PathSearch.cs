namespace Membership.Links;

/// <summary>Finds the largest datagram that one path carries, and notices when it no longer does (RFC 8899 in spirit).</summary>
/// <remarks>Up: the maximum first, then the sizes of common paths, then bisection. Down: while large datagrams are sent, one of that size is
/// verified every second; when its tries stay unanswered although small ones arrive, the path falls back to the minimum and is searched anew.</remarks>
internal sealed class PathSearch
{
    /// <summary>Tries before a larger size counts as too large.</summary>
    public const int SearchTries = 3;

    /// <summary>Tries before a size in use counts as swallowed: a false alarm costs more than here.</summary>
    public const int VerifyTries = 5;

    /// <summary>Bisection ends when less than this is to gain.</summary>
    private const int Granularity = 16;

    /// <summary>Ethernet over IPv4, over IPv6, WireGuard over Ethernet.</summary>
    private static readonly int[] CommonSizes = [1472, 1452, 1392];

    private static readonly TimeSpan VerifyEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SearchAgain = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan SearchAgainAfterShrinking = TimeSpan.FromSeconds(30);

    private readonly int _min;
    private readonly int _max;
    private int _tooLarge;
    private int _trying;
    private int _tries;
    private bool _hasShrunk;
    private Instant _lastTry;
    private Instant _retryAt;
    private Instant _verifyAt = Instant.Never;
    private Instant _searchAt = Instant.Never;

    public PathSearch(int min, int max)
    {
        _min = min;
        _max = max;
        _tooLarge = max + 1;
        Bytes = min;
    }

    /// <summary>Largest UDP payload known to arrive.</summary>
    public int Bytes { get; private set; }

    /// <summary>When <see cref="NextProbe"/> has something to do.</summary>
    public Instant Next => _trying != 0 ? _retryAt : _verifyAt < _searchAt ? _verifyAt : _searchAt;

    /// <summary>The link came up: see whether what is known still holds, then look for more.</summary>
    public void Start(Instant now)
    {
        _tooLarge = _max + 1;
        _searchAt = Instant.Never;
        if (Bytes > _min) Try(Bytes, now);
        else Choose(now);
    }

    /// <summary>The link is down: nothing can be learnt.</summary>
    public void Stop()
    {
        _trying = 0;
        _verifyAt = _searchAt = Instant.Never;
    }

    /// <summary>A datagram above the minimum was sent: verify within a second that such sizes still arrive.</summary>
    public void NoteLarge(Instant now)
    {
        if (_verifyAt == Instant.Never && _trying == 0) _verifyAt = now + VerifyEvery;
    }

    /// <summary>Size of the probe to send now; 0 for none. <paramref name="hasShrunk"/>: the path swallows what it carried before.</summary>
    public int NextProbe(Instant now, Instant lastHeard, TimeSpan answerTime, out bool hasShrunk)
    {
        hasShrunk = false;
        if (now < Next) return 0;
        if (_trying != 0) hasShrunk = GiveUpAfterLastTry(now, lastHeard);
        else if (now >= _verifyAt) Try(Bytes, now);
        else
        {
            _tooLarge = _max + 1;
            Choose(now);
        }
        if (_trying == 0) return 0;
        if (_tries == TriesMax)
        {
            _retryAt = now + answerTime;
            return 0;
        }
        _tries++;
        _lastTry = now;
        _retryAt = now + answerTime;
        return _trying;
    }

    /// <summary>The peer received a probe of this size. True when the path turned out larger than known.</summary>
    public bool OnReply(Instant now, int size)
    {
        if (size != _trying) return false;
        if (size == Bytes)
        {
            _trying = 0;
            if (_searchAt == Instant.Never) Choose(now);
            return false;
        }
        Bytes = size;
        Choose(now);
        return true;
    }

    private int TriesMax => _trying == Bytes ? VerifyTries : SearchTries;

    /// <summary>Only a path that still carries small datagrams proves anything by losing a large one.</summary>
    private bool GiveUpAfterLastTry(Instant now, Instant lastHeard)
    {
        if (_tries < TriesMax || lastHeard <= _lastTry) return false;
        _tooLarge = _trying;
        var shrinks = _trying == Bytes && Bytes > _min;
        if (shrinks)
        {
            Bytes = _min;
            _hasShrunk = true;
        }
        Choose(now);
        return shrinks;
    }

    private void Choose(Instant now)
    {
        _verifyAt = Instant.Never;
        var candidate = Candidate();
        if (candidate != 0)
        {
            Try(candidate, now);
            return;
        }
        _trying = 0;
        _searchAt = now + (_hasShrunk ? SearchAgainAfterShrinking : SearchAgain);
        _hasShrunk = false;
    }

    private int Candidate()
    {
        if (_tooLarge > _max) return _max > Bytes ? _max : 0;
        foreach (var size in CommonSizes)
            if (size > Bytes && size < _tooLarge) return size;
        return _tooLarge - Bytes > Granularity ? Bytes + ((_tooLarge - Bytes) / 2) : 0;
    }

    private void Try(int size, Instant now)
    {
        _trying = size;
        _tries = 0;
        _retryAt = now;
        _verifyAt = Instant.Never;
    }
}
