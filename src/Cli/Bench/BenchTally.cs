namespace Membership.Cli.Bench;

/// <summary>What one reader of a benchmark saw: counts, measures latency, and checks that each sender's messages come once and in order.</summary>
/// <param name="socket">The daemon it reads from, for messages.</param>
/// <param name="run">The run of this process.</param>
/// <param name="index">Which sender of this process sends through the same daemon.</param>
/// <param name="window">When to measure.</param>
internal sealed class BenchTally(string socket, uint run, ushort index, MeasuredWindow window)
{
    private readonly Dictionary<(uint Run, ushort Sender), uint> _next = [];
    private long _ownRun;
    private bool _hasGap;

    /// <summary>Latency of messages sent through this daemon.</summary>
    public LatencyHistogram Self { get; } = new();

    /// <summary>Latency of messages sent through other daemons.</summary>
    public LatencyHistogram Other { get; } = new();

    /// <summary>Latency of messages that found the ring idle.</summary>
    public LatencyHistogram AfterIdle { get; } = new();

    /// <summary>Messages delivered in the measured time.</summary>
    public long Delivered { get; private set; }

    /// <summary>Payload bytes delivered in the measured time.</summary>
    public long Bytes { get; private set; }

    /// <summary>How the order was broken first; null when it never was.</summary>
    public string? OrderError { get; private set; }

    /// <summary>How often it was broken.</summary>
    public long OrderErrors { get; private set; }

    /// <summary>Messages of this process delivered here so far.</summary>
    public long OwnRun => Volatile.Read(ref _ownRun);

    /// <summary>What comes next need not follow what came: this reader missed something.</summary>
    public void Gap()
    {
        _hasGap = true;
        _next.Clear();
    }

    /// <summary>Takes a message; returns one above its number when it is of this reader's own sender, else 0.</summary>
    public uint Take(in BenchStamp stamp, int size, long nowNs)
    {
        CheckOrder(stamp);
        var isSelf = stamp.Run == run && stamp.Sender == index;
        if (stamp.Run == run)
            Volatile.Write(ref _ownRun, _ownRun + 1);
        if (stamp.IsAfterIdle)
            AfterIdle.Add(nowNs - stamp.SentNs);
        else if (window.Contains(nowNs))
        {
            Delivered++;
            Bytes += size;
            (isSelf ? Self : Other).Add(nowNs - stamp.SentNs);
        }
        return isSelf ? stamp.Number + 1 : 0;
    }

    // What a sender sent before this process listened is not known; from its first message here on nothing may be missing.
    private void CheckOrder(in BenchStamp stamp)
    {
        var sender = (stamp.Run, stamp.Sender);
        var isKnown = _next.TryGetValue(sender, out var expected);
        _next[sender] = stamp.Number + 1;
        if (isKnown ? stamp.Number == expected : stamp.Run != run || stamp.Number == 0 || _hasGap)
            return;
        OrderErrors++;
        OrderError ??= $"at {socket} message {stamp.Number} of sender {stamp.Run:x8}.{stamp.Sender} came when {expected} was expected";
    }
}
