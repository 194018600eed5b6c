using Membership.Cli.Text;
using Membership.V1;

namespace Membership.Cli.Status;

/// <summary>When the side of a verdict may act while nobody else can (invariant I31), by the clock of whoever asked.</summary>
/// <param name="IsQuorate">The verdict.</param>
/// <param name="HasTimes">False: not quorate, one of two nodes alone, or a daemon that tells no times.</param>
/// <param name="For">What is left of it; zero: it has run out.</param>
/// <param name="In">What is left until it begins; zero: it has begun.</param>
internal readonly record struct ExclusiveTime(bool IsQuorate, bool HasTimes, TimeSpan For, TimeSpan In)
{
    /// <summary>This side may act, and nobody else can.</summary>
    public bool IsNow => HasTimes && For > TimeSpan.Zero && In == TimeSpan.Zero;

    /// <summary>Of an answer that came this long after it was asked for: as if the daemon had answered at once, so that no time is counted twice.</summary>
    public static ExclusiveTime Of(Quorum quorum, TimeSpan elapsed)
    {
        var left = TimeSpan.FromMilliseconds(quorum.QuorateForMs) - elapsed;
        return new ExclusiveTime(quorum.Quorate, quorum.QuorateUntilNs != 0, left > TimeSpan.Zero ? left : TimeSpan.Zero, TimeSpan.FromMilliseconds(quorum.ExclusiveInMs));
    }

    /// <summary>In words.</summary>
    public string Sentence =>
        IsNow ? $"exclusive: nobody outside this view may act for another {Age(For)}, renewed while the ring runs"
        : !IsQuorate ? "not exclusive: there is no quorum"
        : !HasTimes ? "not exclusive at any time: another side may be quorate too (mode two-node, one node alone), or this daemon tells no times"
        : For == TimeSpan.Zero ? "not exclusive: what this daemon knows of its ring has run out, others may have gone on without it"
        : $"not exclusive for another {Age(In)}: who was in an earlier view may not know yet that it is over";

    private static string Age(TimeSpan time) => Durations.Age((long)time.TotalMilliseconds);
}
