using Membership.Links;

namespace Membership.Virtual;

/// <summary>How the network behaves in a run. Probabilities are per datagram and target; times in nanoseconds.</summary>
public sealed record NetworkOptions
{
    /// <summary>One hop without anything in its way.</summary>
    public long Hop { get; init; } = 2_000_000;

    /// <summary>Up to so much more, order kept.</summary>
    public long Jitter { get; init; }

    public double Loss { get; init; }

    public double Duplication { get; init; }

    /// <summary>Chance that a datagram is held back by up to <see cref="ReorderBy"/> while others overtake it.</summary>
    public double Reordering { get; init; }

    public long ReorderBy { get; init; }

    public double Corruption { get; init; }

    /// <summary>Chance that, beside a datagram, one recorded earlier is sent again.</summary>
    public double Replay { get; init; }

    /// <summary>Chance that a datagram to a dead process brings a port-unreachable back.</summary>
    public double Unreachable { get; init; } = 0.5;

    /// <summary>Largest datagram the path carries; larger ones vanish.</summary>
    public int PathBytes { get; init; } = 8952;
}

/// <summary>All paths between all nodes. Decides for each datagram whether, when and how often it arrives.</summary>
public sealed class Network(int nodes, int links, SeededRandom random)
{
    private const int RecordedMax = 512;

    private readonly int[] _cuts = new int[nodes * nodes * links];
    private readonly int[] _framesLost = new int[nodes];
    private readonly long[] _lastArrival = new long[nodes * nodes * links];
    private readonly List<(Datagram Datagram, int To)> _recorded = [];
    private readonly DatagramPool _pool = new();

    /// <summary>How the network behaves from now on.</summary>
    public NetworkOptions Options { get; set; } = new();

    /// <summary>Larger datagrams vanish while a path has shrunk; 0 = not shrunk.</summary>
    public int ShrunkPathBytes { get; set; }

    /// <summary>Loss added for a while, for everybody.</summary>
    public double ExtraLoss { get; set; }

    /// <summary>Asked for each datagram when set: true drops it. For scenarios.</summary>
    public Func<Datagram, int, bool>? Drops { get; set; }

    public long Sent { get; private set; }

    public long Bytes { get; private set; }

    public long Lost { get; private set; }

    public long Duplicated { get; private set; }

    public long HeldBack { get; private set; }

    public long Corrupted { get; private set; }

    public long Replayed { get; private set; }

    /// <summary>Cuts one direction of one link; cuts add up, each needs its own heal.</summary>
    public void Cut(int from, int to, int link, int change) => _cuts[Path(from, to, link)] += change;

    /// <summary>Frames of a node reach nobody, all else does; adds up as cuts do. Without effect where the text is not in clear.</summary>
    public void LoseFrames(int from, int change) => _framesLost[from] += change;

    public bool IsCut(int from, int to, int link) => _cuts[Path(from, to, link)] > 0;

    /// <summary>True when no link leads from one to the other.</summary>
    public bool IsCut(int from, int to)
    {
        for (var link = 0; link < links; link++)
        {
            if (!IsCut(from, to, link)) return false;
        }
        return true;
    }

    /// <summary>All cuts and disturbances end.</summary>
    public void HealAll()
    {
        Array.Clear(_cuts);
        Array.Clear(_framesLost);
        ShrunkPathBytes = 0;
        ExtraLoss = 0;
    }

    /// <summary>Takes what a node transmits and schedules what arrives.</summary>
    internal void Send(World world, int from, LinkId link, NodeSet targets, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        for (var start = 0; start < datagrams.Length; start += segmentBytes)
        {
            var datagram = _pool.Rent(from, link.Index, datagrams.Slice(start, Math.Min(segmentBytes, datagrams.Length - start)));
            foreach (var to in targets)
            {
                if (to != from) Route(world, datagram, to);
            }
            datagram.Release();
        }
    }

    /// <summary>Puts bytes of nobody's on the way to a node.</summary>
    internal void Inject(World world, int pretendedFrom, byte link, int to, ReadOnlySpan<byte> bytes)
    {
        var datagram = _pool.Rent(pretendedFrom, link, bytes);
        Arrive(world, datagram, to, world.Now + Options.Hop);
        datagram.Release();
    }

    /// <summary>Sends some recorded datagrams again, to whom they were meant for or to somebody else.</summary>
    internal void ReplayRecorded(World world, int count)
    {
        for (var i = 0; i < count && _recorded.Count > 0; i++)
        {
            var (datagram, to) = _recorded[random.Next(_recorded.Count)];
            var target = random.Chance(0.25) ? random.Next(nodes) : to;
            if (target == datagram.From || IsCut(Math.Max(datagram.From, 0), target, datagram.Link)) continue;
            Replayed++;
            Arrive(world, datagram, target, world.Now + Options.Hop + random.Between(0, Options.Hop));
        }
    }

    private void Route(World world, Datagram datagram, int to)
    {
        Sent++;
        Bytes += datagram.Length;
        var path = Path(datagram.From, to, datagram.Link);
        if (_cuts[path] > 0 || datagram.Length > Options.PathBytes || (ShrunkPathBytes > 0 && datagram.Length > ShrunkPathBytes) ||
            (_framesLost[datagram.From] > 0 && Peek.Of(datagram.Bytes) is DatagramKind.Data or DatagramKind.Fragment) || random.Chance(Options.Loss + ExtraLoss) || Drops?.Invoke(datagram, to) == true)
        {
            Lost++;
            return;
        }
        var at = world.Now + Options.Hop + (Options.Jitter > 0 ? random.Between(0, Options.Jitter) : 0);
        if (random.Chance(Options.Reordering))
        {
            HeldBack++;
            at += random.Between(0, Options.ReorderBy);
        }
        else
        {
            at = _lastArrival[path] = Math.Max(at, _lastArrival[path]);
        }
        if (random.Chance(Options.Corruption)) Corrupt(world, datagram, to, at);
        else Arrive(world, datagram, to, at);
        if (random.Chance(Options.Duplication))
        {
            Duplicated++;
            Arrive(world, datagram, to, at + random.Between(0, Options.Hop * 4));
        }
        if (Options.Replay > 0) Record(world, datagram, to);
    }

    private void Corrupt(World world, Datagram datagram, int to, long at)
    {
        Corrupted++;
        var copy = _pool.Rent(datagram.From, datagram.Link, datagram.Bytes);
        if (random.Chance(0.2)) copy.Shorten(random.Next(copy.Length) + 1);
        else copy.Buffer[random.Next(copy.Length)] ^= (byte)(1 << random.Next(8));
        Arrive(world, copy, to, at);
        copy.Release();
    }

    private void Record(World world, Datagram datagram, int to)
    {
        if (random.Chance(Options.Replay)) ReplayRecorded(world, 1);
        if (!random.Chance(0.02)) return;
        var copy = _pool.Rent(datagram.From, datagram.Link, datagram.Bytes);
        if (_recorded.Count < RecordedMax)
        {
            _recorded.Add((copy, to));
            return;
        }
        var place = random.Next(RecordedMax);
        _recorded[place].Datagram.Release();
        _recorded[place] = (copy, to);
    }

    private static void Arrive(World world, Datagram datagram, int to, long at)
    {
        datagram.Share();
        world.Schedule(at, DueKind.Datagram, to, 0, 0, datagram);
    }

    private int Path(int from, int to, int link) => (((from * nodes) + to) * links) + link;
}
