using Membership.Quorum;

namespace Membership.Daemon.Services;

/// <summary>A verdict about quorum with the view it is about.</summary>
/// <param name="State">The verdict.</param>
/// <param name="View">Its view as this daemon installed it; null before the first.</param>
/// <param name="Revision">Counts the verdicts of this daemon from 1.</param>
/// <param name="Time">CLOCK_MONOTONIC, nanoseconds.</param>
internal sealed record Verdict(QuorumState State, InstalledView? View, ulong Revision, long Time) : IRevisioned
{
    /// <summary>What CLOCK_MONOTONIC showed, in nanoseconds, when the clock of the verdict's times was zero.</summary>
    public long Origin { get; init; }
}

/// <summary>The last verdicts, by revision. Written by the ring thread, read by anybody.</summary>
internal sealed class QuorumHistory(ViewHistory views) : History<Verdict>
{
    /// <summary>Adds a verdict; its view has been added to the views. Ring thread only.</summary>
    /// <param name="state">The verdict.</param>
    /// <param name="time">CLOCK_MONOTONIC, nanoseconds.</param>
    /// <param name="origin">See <see cref="Verdict.Origin"/>.</param>
    public void Add(QuorumState state, long time, long origin)
    {
        var view = views.LastRegular;
        Append(new Verdict(state, view is not null && view.View.Id == state.View?.Id ? view : null, NextRevision, time) { Origin = origin });
    }
}
