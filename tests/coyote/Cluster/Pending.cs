using Membership.Virtual;

namespace Membership.Exploration.Cluster;

/// <summary>What is pending, in no order: whoever explores looks at all of it and takes what it chose.</summary>
internal sealed class Pending : IAgenda
{
    private Due[] _all = new Due[64];

    public int Count { get; private set; }

    public long NextAt => _all[First()].At;

    public ref readonly Due this[int place] => ref _all[place];

    public void Push(in Due due)
    {
        if (Count == _all.Length) Array.Resize(ref _all, Count * 2);
        _all[Count++] = due;
    }

    public Due Pop() => Take(First());

    /// <summary>Takes what is at a place; the last one moves there.</summary>
    public Due Take(int place)
    {
        var taken = _all[place];
        _all[place] = _all[--Count];
        _all[Count] = default;
        return taken;
    }

    private int First()
    {
        var first = 0;
        for (var i = 1; i < Count; i++)
        {
            if (IsBefore(_all[i], _all[first])) first = i;
        }
        return first;
    }

    public static bool IsBefore(in Due left, in Due right) => left.At != right.At ? left.At < right.At : left.Tie < right.Tie;
}
