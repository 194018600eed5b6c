namespace Membership.Explorer;

/// <summary>Hashes that were seen, each with a word: 16 bytes and no object per entry. Full at <see cref="EntriesMax"/>; then new ones are not kept and <see cref="IsFull"/> says so.</summary>
internal sealed class HashTable
{
    /// <summary>Entries kept by default: half a gigabyte at the most.</summary>
    public const int EntriesMaxDefault = 1 << 24;

    private const int FirstCapacity = 1024;

    private ulong[] _keys = new ulong[FirstCapacity];
    private ulong[] _words = new ulong[FirstCapacity];
    private bool _hasZero;
    private ulong _wordOfZero;
    private int _kept;

    public HashTable(int entriesMax = EntriesMaxDefault) => EntriesMax = entriesMax;

    public int EntriesMax { get; }

    /// <summary>A new hash came when there was no room: <see cref="Count"/> is a lower bound.</summary>
    public bool IsFull { get; private set; }

    public int Count => _kept + (_hasZero ? 1 : 0);

    /// <summary>True when the hash was not there and now is.</summary>
    public bool Add(ulong hash)
    {
        Word(hash, out var isNew);
        return isNew;
    }

    /// <summary>The word of a hash, valid until the next call. When there is no room for a new one, a word that nobody keeps.</summary>
    public ref ulong Word(ulong hash, out bool isNew)
    {
        if (hash == 0)
        {
            isNew = !_hasZero;
            _hasZero = true;
            return ref _wordOfZero;
        }
        var at = Find(hash);
        isNew = _keys[at] == 0;
        if (!isNew) return ref _words[at];
        if (_kept >= EntriesMax)
        {
            IsFull = true;
            isNew = false;
            return ref _words[at];
        }
        if (++_kept * 2 > _keys.Length)
        {
            Grow();
            at = Find(hash);
        }
        _keys[at] = hash;
        return ref _words[at];
    }

    public void AddAll(HashTable other)
    {
        if (other._hasZero) Add(0);
        foreach (var key in other._keys)
        {
            if (key != 0) Add(key);
        }
        IsFull |= other.IsFull;
    }

    public void Clear()
    {
        Array.Clear(_keys);
        Array.Clear(_words);
        _hasZero = false;
        _wordOfZero = 0;
        _kept = 0;
        IsFull = false;
    }

    private int Find(ulong hash)
    {
        var mask = _keys.Length - 1;
        var at = (int)((hash * 0x9E3779B97F4A7C15) >> 32) & mask;
        while (_keys[at] != 0 && _keys[at] != hash) at = (at + 1) & mask;
        return at;
    }

    private void Grow()
    {
        var (keys, words) = (_keys, _words);
        _keys = new ulong[keys.Length * 2];
        _words = new ulong[keys.Length * 2];
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] == 0) continue;
            var at = Find(keys[i]);
            (_keys[at], _words[at]) = (keys[i], words[i]);
        }
    }
}
