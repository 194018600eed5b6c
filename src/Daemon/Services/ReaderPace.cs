using Membership.Links;

namespace Membership.Daemon.Services;

/// <summary>A reader whose place in a <see cref="RecordRing"/> the ring thread can see.</summary>
internal interface IPacedReader
{
    /// <summary>Offset of the first record not read yet; <see cref="long.MaxValue"/> when there is none. Any thread, a moment old.</summary>
    long Unread { get; }
}

/// <summary>Tells the ring thread how hard to stand back so that readers that are busy reading are not overtaken by the writer.</summary>
/// <remarks>
/// The ring thread runs at a high priority and can order messages faster than the threads of its clients get to take them; while it stands back a token that
/// comes waits for it, so the whole ring slows down to what the readers manage. Only a reader that moves counts: one that has taken less than
/// <see cref="StepsPerLog"/>th of the log within <see cref="Patience"/> is left behind, and cut off when it is overtaken or has stalled for too long.
/// Readers that are less than <see cref="HoldFrom"/> of a log behind cost nothing but the look at their place, once every <see cref="StepsPerLog"/>th of the log.
/// </remarks>
/// <param name="log">What is read.</param>
internal sealed class ReaderPace(RecordRing log)
{
    /// <summary>The readers are looked at each time so many parts of the log have been written.</summary>
    public const int StepsPerLog = 256;

    /// <summary>From here on (part of the log that is unread) the writer is held: what is unread has to wait, and every millisecond of it is latency.</summary>
    public const double HoldFrom = 1.0 / 64;

    /// <summary>A reader that has not moved by one step for so long is not waited for.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock _changing = new();
    private Place[] _places = [];
    private double _lookedAt;
    private bool _isHolding;

    /// <summary>Pays attention to a reader until what is returned is disposed. Any thread.</summary>
    public IDisposable Add(IPacedReader reader)
    {
        var place = new Place(this, log, reader);
        lock (_changing) Volatile.Write(ref _places, [.. _places, place]);
        return place;
    }

    /// <summary>From 0 (almost always) to 1 (what is unread fills the log): how much of the longest pause to stand back before more is written. Writer only, after each batch.</summary>
    public double Pressure(Instant now)
    {
        var written = log.Spent(long.MaxValue);
        if (!_isHolding && written - _lookedAt < 1.0 / StepsPerLog) return 0;
        _lookedAt = written;
        var behind = 0.0;
        foreach (var place in Volatile.Read(ref _places)) behind = Math.Max(behind, place.Behind(written, now));
        _isHolding = behind > HoldFrom;
        return _isHolding ? Math.Min((behind - HoldFrom) / (1 - HoldFrom), 1) : 0;   // little at first, so that the writer settles where readers keep up
    }

    private void Remove(Place place)
    {
        lock (_changing) Volatile.Write(ref _places, [.. _places.Where(other => other != place)]);
    }

    /// <summary>What the writer remembers of a reader.</summary>
    private sealed class Place(ReaderPace pace, RecordRing log, IPacedReader reader) : IDisposable
    {
        private double _step = double.NegativeInfinity;   // where it was when it last moved by a step
        private Instant _steppedAt;

        /// <summary>Part of the log this reader has not read; 0 when it is not to be waited for.</summary>
        public double Behind(double written, Instant now)
        {
            var unread = reader.Unread;
            var at = unread == long.MaxValue ? written : log.Spent(unread);
            var behind = written - at;
            if (behind <= HoldFrom || at - _step >= 1.0 / StepsPerLog) (_step, _steppedAt) = (at, now);
            return now - _steppedAt < Patience ? behind : 0;
        }

        public void Dispose() => pace.Remove(this);
    }
}
