namespace Membership.Virtual;

/// <summary>The state file of one node: two generations, of which a crash can damage the one being written.</summary>
public sealed class VirtualDisk
{
    /// <summary>How far ahead a start goes when a generation is unreadable: it may hold a reservation that was used.</summary>
    public const ulong UnreadableSkip = 2 * 1024;

    private readonly ulong?[] _generations = [0, 0];
    private int _writing = -1;
    private ulong _value;

    /// <summary>Begins to write; the older generation is overwritten.</summary>
    public void Begin(ulong upTo)
    {
        _writing = Newest == 0 ? 1 : 0;
        _value = upTo;
    }

    /// <summary>The write reached the disk.</summary>
    public ulong End()
    {
        _generations[_writing] = _value;
        _writing = -1;
        return _value;
    }

    /// <summary>The process died: a write under way is lost, with or without damage to the generation it wrote to.</summary>
    public void Crash(bool isDamaged)
    {
        if (_writing >= 0 && isDamaged) _generations[_writing] = null;
        _writing = -1;
    }

    /// <summary>The disk was replaced.</summary>
    public void Replace()
    {
        _generations[0] = _generations[1] = 0;
        _writing = -1;
    }

    /// <summary>A copy of what is on the disk, for a restore of something older later.</summary>
    public IReadOnlyList<ulong?> Image() => [.. _generations];

    /// <summary>Something older is put back.</summary>
    public void Restore(IReadOnlyList<ulong?> image)
    {
        (_generations[0], _generations[1]) = (image[0], image[1]);
        _writing = -1;
    }

    /// <summary>The highest ring sequence that an earlier start may have used.</summary>
    public ulong Read()
    {
        var newest = _generations[Newest] ?? 0;
        return _generations[0] is null || _generations[1] is null ? newest + UnreadableSkip : newest;
    }

    private int Newest => _generations[1] is null || (_generations[0] is { } first && first >= _generations[1]) ? 0 : 1;
}
