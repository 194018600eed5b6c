using Membership.Daemon.Ring;

namespace Membership.Daemon.Services.Groups;

/// <summary>Groups that are recorded for a while after a client was cut off from them, so that it finds what it missed when it comes back.</summary>
/// <remarks>Ring thread only, but for <see cref="Any"/>. Beyond <see cref="Max"/> those of the earliest cuts go first.</remarks>
internal sealed class KeptGroups(GroupHub hub, TimeProvider time)
{
    /// <summary>So long after a client was cut off.</summary>
    public static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(30);

    /// <summary>How often it is looked for what was kept long enough.</summary>
    public static readonly TimeSpan ReleasePace = TimeSpan.FromSeconds(1);

    /// <summary>Groups kept at a time.</summary>
    public const int Max = 256;

    private readonly List<(string Group, long Since)> _kept = [];   // by age
    private int _count;

    /// <summary>True while there is something to release. Any thread.</summary>
    public bool Any => Volatile.Read(ref _count) > 0;

    /// <summary>A client is cut off from a group, and reads it until now.</summary>
    public void Keep(RingLoop loop, string group)
    {
        if (!hub.Keep(group)) return;
        var at = _kept.FindIndex(kept => kept.Group == group);
        if (at >= 0) _kept.RemoveAt(at);
        else loop.View.Node.WatchGroup(group);
        _kept.Add((group, time.GetTimestamp()));
        if (_kept.Count > Max) Release(loop, 1);
        Volatile.Write(ref _count, _kept.Count);
    }

    /// <summary>Releases what was kept long enough.</summary>
    public void ReleaseDue(RingLoop loop)
    {
        var due = _kept.FindIndex(kept => time.GetElapsedTime(kept.Since) < KeepFor);
        Release(loop, due < 0 ? _kept.Count : due);
        Volatile.Write(ref _count, _kept.Count);
    }

    private void Release(RingLoop loop, int count)
    {
        foreach (var (group, _) in _kept[..count])
        {
            loop.View.Node.UnwatchGroup(group);
            hub.Release(group);
        }
        _kept.RemoveRange(0, count);
    }
}
