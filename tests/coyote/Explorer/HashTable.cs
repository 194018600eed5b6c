namespace Membership.Explorer;

/// <summary>Hashes that were seen, where wanted each with a word: 8 or 16 bytes a place, no object. Full at <see cref="EntriesMax"/>; then new ones are not kept and <see cref="IsFull"/> says so.</summary>
internal sealed class HashTable
{
    /// <summary>Entries kept by default: half a gigabyte at the most.</summary>
    public const int EntriesMaxDefault = 1 << 24;

    private const int FirstCapacity = 1024;

    private ulong[] _keys = new ulong[FirstCapacity];
    private ulong[] _words;
    private bool _hasZero;
    private ulong _wordOfZero;
    private ulong _wordOfNobody;
    private int _kept;

    public HashTable(int entriesMax = EntriesMaxDefault, bool hasWords = false)
    {
        EntriesMax = entriesMax;
        _words = hasWords ? new ulong[FirstCapacity] : [];
    }

    public int EntriesMax { get; }

    /// <summary>A new hash came when there was no room: <see cref="Count"/> is a lower bound.</summary>
    public bool IsFull { get; private set; }

    /// <summary>The last hash was new and there was no room for it.</summary>
    private bool IsRefused { get; set; }

    public int Count => _kept + (_hasZero ? 1 : 0);

    /// <summary>True when the hash was not there and now is.</summary>
    public bool Add(ulong hash)
    {
        if (hash != 0) return Place(hash, out _) && !IsRefused;
        var isNew = !_hasZero;
        _hasZero = true;
        return isNew;
    }

    /// <summary>The word of a hash, valid until the next call; for a new hash 0. When there is no room for a new one, a word that nobody keeps.</summary>
    public ref ulong Word(ulong hash, out bool isNew)
    {
        if (hash == 0)
        {
            isNew = Add(hash);
            return ref _wordOfZero;
        }
        isNew = Place(hash, out var at);
        if (!IsRefused) return ref _words[at];
        _wordOfNobody = 0;
        return ref _wordOfNobody;
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

    /// <summary>True when the hash is new: then it has a place now, or was refused.</summary>
    private bool Place(ulong hash, out int at)
    {
        at = Find(hash);
        IsRefused = false;
        if (_keys[at] == hash) return false;
        if (_kept >= EntriesMax)
        {
            IsFull = true;
            IsRefused = true;
            return true;
        }
        if (++_kept * 2 > _keys.Length)
        {
            Grow();
            at = Find(hash);
        }
        _keys[at] = hash;
        return true;
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
        _words = words.Length == 0 ? words : new ulong[keys.Length * 2];
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] == 0) continue;
            var at = Find(keys[i]);
            _keys[at] = keys[i];
            if (words.Length > 0) _words[at] = words[i];
        }
    }
}
