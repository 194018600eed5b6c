namespace Membership.Explorer;

/// <summary>A word per actor or event id, forgotten all at once at the start of an iteration. Grows to the largest iteration, then allocates no more.</summary>
internal sealed class IdTable
{
    private const int FirstCapacity = 64;

    private int[] _ids = new int[FirstCapacity];
    private uint[] _generations = new uint[FirstCapacity];
    private ulong[] _words = new ulong[FirstCapacity];
    private uint _generation = 1;
    private int _count;

    public void Clear()
    {
        _count = 0;
        if (++_generation != 0) return;
        Array.Clear(_generations);
        _generation = 1;
    }

    /// <summary>The word of an id; valid until the next call.</summary>
    public ref ulong Word(int id, out bool isNew)
    {
        if (_count * 2 >= _ids.Length) Grow();
        var at = Find(id);
        isNew = _generations[at] != _generation;
        if (isNew)
        {
            _generations[at] = _generation;
            _ids[at] = id;
            _count++;
        }
        return ref _words[at];
    }

    private int Find(int id)
    {
        var mask = _ids.Length - 1;
        var at = (int)((uint)id * 2654435769u >> 8) & mask;
        while (_generations[at] == _generation && _ids[at] != id) at = (at + 1) & mask;
        return at;
    }

    private void Grow()
    {
        var (ids, generations, words) = (_ids, _generations, _words);
        _ids = new int[ids.Length * 2];
        _generations = new uint[ids.Length * 2];
        _words = new ulong[ids.Length * 2];
        for (var i = 0; i < ids.Length; i++)
        {
            if (generations[i] != _generation) continue;
            var at = Find(ids[i]);
            (_ids[at], _generations[at], _words[at]) = (ids[i], generations[i], words[i]);
        }
    }
}
