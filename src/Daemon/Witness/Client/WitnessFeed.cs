using System.Threading.Channels;
using Membership.Quorum;
using Membership.Totem;

namespace Membership.Daemon.Witness.Client;

/// <summary>What a report is about: the regular view in force and what quorum says.</summary>
/// <param name="View">Regular.</param>
/// <param name="WasQuorate">The verdict in force when it was installed.</param>
/// <param name="Quorum">The newest verdict; null before the first.</param>
internal sealed record Observation(View View, bool WasQuorate, QuorumState? Quorum);

/// <summary>Keeps the newest view and verdict for the witness's client. Written on the ring thread, which it never holds up.</summary>
internal sealed class WitnessFeed
{
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }); // one look covers every change before it
    private QuorumState? _quorum;
    private Observation? _latest;

    /// <summary>The newest; null before the first regular view.</summary>
    public Observation? Latest => Volatile.Read(ref _latest);

    /// <summary>Becomes readable with each new view.</summary>
    public ChannelReader<bool> Changes => _changes.Reader;

    /// <summary>Ring thread: a view was installed.</summary>
    public void InstallView(View view)
    {
        if (view.Transitional) return;
        Volatile.Write(ref _latest, new Observation(view, _quorum?.IsQuorate ?? false, _quorum));
        _changes.Writer.TryWrite(true);
    }

    /// <summary>Ring thread: the verdict changed.</summary>
    public void QuorumChanged(QuorumState state)
    {
        _quorum = state;
        if (_latest is { } latest) Volatile.Write(ref _latest, latest with { Quorum = state });
    }
}
