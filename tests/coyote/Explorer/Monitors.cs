namespace Membership.Explorer;

/// <summary>What is owed in this iteration, and since which fair step.</summary>
internal sealed class Monitors
{
    private const int NotOwed = -1;

    private string[] _names = new string[8];
    private int[] _since = new int[8];
    private int _count;

    /// <summary>How many are owed.</summary>
    public int Owed { get; private set; }

    /// <summary>The fair step from which on the oldest debt is <c>limit</c> steps old; no step when nothing is owed.</summary>
    public int OldestSince { get; private set; } = int.MaxValue;

    /// <summary>Tells apart sets of debts.</summary>
    public ulong Fingerprint { get; private set; }

    public void Clear()
    {
        _count = 0;
        Owed = 0;
        OldestSince = int.MaxValue;
        Fingerprint = 0;
    }

    public void Hot(string name, int fairSteps)
    {
        ref var since = ref Since(name);
        if (since != NotOwed) return;
        since = fairSteps;
        Owed++;
        OldestSince = Math.Min(OldestSince, fairSteps);
        Fingerprint ^= KeyOf(name);
    }

    public void Cold(string name)
    {
        ref var since = ref Since(name);
        if (since == NotOwed) return;
        since = NotOwed;
        Owed--;
        Fingerprint ^= KeyOf(name);
        OldestSince = int.MaxValue;
        for (var i = 0; i < _count; i++)
        {
            if (_since[i] != NotOwed) OldestSince = Math.Min(OldestSince, _since[i]);
        }
    }

    /// <summary>The one owed longest.</summary>
    public string Oldest()
    {
        for (var i = 0; i < _count; i++)
        {
            if (_since[i] == OldestSince) return _names[i];
        }
        return "nothing";
    }

    private ref int Since(string name)
    {
        for (var i = 0; i < _count; i++)
        {
            if (ReferenceEquals(_names[i], name) || _names[i] == name) return ref _since[i];
        }
        if (_count == _names.Length)
        {
            Array.Resize(ref _names, _count * 2);
            Array.Resize(ref _since, _count * 2);
        }
        _names[_count] = name;
        _since[_count] = NotOwed;
        return ref _since[_count++];
    }

    /// <summary>The same in every process: it decides what is pruned.</summary>
    private static ulong KeyOf(string name)
    {
        var key = 0UL;
        foreach (var letter in name) key = SplitMix.Mix(key ^ letter);
        return key;
    }
}
