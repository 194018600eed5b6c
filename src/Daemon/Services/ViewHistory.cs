using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>A view as this daemon installed it.</summary>
/// <param name="View">The view.</param>
/// <param name="Revision">Counts the views of this daemon from 1.</param>
/// <param name="Position">Its place in the <see cref="DeliveryLog"/>.</param>
/// <param name="Time">CLOCK_MONOTONIC, nanoseconds.</param>
internal sealed record InstalledView(View View, ulong Revision, long Position, long Time);

/// <summary>The last views, by revision. Written by the ring thread, read by anybody.</summary>
internal sealed class ViewHistory
{
    /// <summary>Views kept.</summary>
    public const int Max = 1024;

    private readonly InstalledView?[] _views = new InstalledView?[Max];
    private readonly BatchSignal _signal = new();
    private ulong _last;
    private InstalledView? _lastRegular;

    /// <summary>Revision of the newest view; 0 before the first.</summary>
    public ulong LastRevision => Volatile.Read(ref _last);

    /// <summary>Lowest revision still kept; 0 while there is none.</summary>
    public ulong OldestRevision => LastRevision <= Max ? Math.Min(1, LastRevision) : LastRevision - Max + 1;

    /// <summary>The newest view, or null before the first.</summary>
    public InstalledView? Current => Find(LastRevision);

    /// <summary>The regular view in force, or null before the first.</summary>
    public InstalledView? LastRegular => Volatile.Read(ref _lastRegular);

    /// <summary>Adds a view. Ring thread only.</summary>
    public InstalledView Add(View view, long position, long time)
    {
        var revision = _last + 1;
        var installed = new InstalledView(view, revision, position, time);
        Volatile.Write(ref _views[revision % Max], installed);
        if (!view.Transitional) Volatile.Write(ref _lastRegular, installed);
        Volatile.Write(ref _last, revision);
        return installed;
    }

    /// <summary>Wakes whoever waits for a view. Ring thread, once per batch with views.</summary>
    public void Publish() => _signal.Raise();

    /// <summary>The view of a revision, or null when there is none yet or no longer.</summary>
    public InstalledView? Find(ulong revision)
    {
        var view = Volatile.Read(ref _views[revision % Max]);
        return view?.Revision == revision ? view : null;
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

    /// <summary>Waits until there is a later view than <paramref name="revision"/>.</summary>
    public async ValueTask WaitAsync(ulong revision, CancellationToken cancellationToken)
    {
        while (LastRevision <= revision)
        {
            var armed = _signal.Arm();
            if (LastRevision > revision) return;
            await armed.WaitAsync(cancellationToken);
        }
    }
}
