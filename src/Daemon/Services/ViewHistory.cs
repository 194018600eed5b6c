using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>A view as this daemon installed it.</summary>
/// <param name="View">The view.</param>
/// <param name="Revision">Counts the views of this daemon from 1.</param>
/// <param name="Position">Its place in the <see cref="DeliveryLog"/>.</param>
/// <param name="Time">CLOCK_MONOTONIC, nanoseconds.</param>
internal sealed record InstalledView(View View, ulong Revision, long Position, long Time) : IRevisioned;

/// <summary>The last views, by revision. Written by the ring thread, read by anybody.</summary>
internal sealed class ViewHistory : History<InstalledView>
{
    private InstalledView? _lastRegular;

    /// <summary>The regular view in force, or null before the first.</summary>
    public InstalledView? LastRegular => Volatile.Read(ref _lastRegular);

    /// <summary>Adds a view. Ring thread only.</summary>
    public InstalledView Add(View view, long position, long time)
    {
        var installed = new InstalledView(view, NextRevision, position, time);
        if (!view.Transitional) Volatile.Write(ref _lastRegular, installed);
        Append(installed);
        return installed;
    }

    /// <summary>The newest view at or before a position of the delivery log.</summary>
    public InstalledView? At(long position)
    {
        for (var revision = LastRevision; revision > 0 && revision >= OldestRevision; revision--)
        {
            if (Find(revision) is { } view && view.Position <= position) return view;
        }
        return null;
    }
}
