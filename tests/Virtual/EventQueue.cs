namespace Membership.Virtual;

/// <summary>What is due.</summary>
public enum DueKind : byte
{
    /// <summary>A datagram reaches a node.</summary>
    Datagram,

    /// <summary>A node's timer.</summary>
    Tick,

    /// <summary>A disk write ends.</summary>
    DiskWrite,

    /// <summary>A hint of the operating system reaches a node.</summary>
    Hint,

    /// <summary>A slow or paused node looks at its inputs again.</summary>
    Wake,

    /// <summary>A step of the plan begins.</summary>
    Step,

    /// <summary>A step of the plan ends.</summary>
    StepEnd,

    /// <summary>A call that was asked for.</summary>
    Call,
}

/// <summary>Something due at a time. <c>Node</c>, <c>Argument</c> and <c>Generation</c> mean what the kind needs.</summary>
public readonly record struct Due(long At, ulong Tie, DueKind Kind, int Node, int Generation, long Argument, Datagram? Datagram);

/// <summary>Where what is pending waits until it happens. By time in the simulator, by choice in schedule tests.</summary>
public interface IAgenda
{
    int Count { get; }

    /// <summary>When the first thing is due. Only when <see cref="Count"/> is not 0.</summary>
    long NextAt { get; }

    void Push(in Due due);

    /// <summary>Takes the first thing, by time and then by tie. Only when <see cref="Count"/> is not 0.</summary>
    Due Pop();
}

/// <summary>Everything due, by time and then by tie: a binary heap of values, so that nothing is allocated per event.</summary>
public sealed class EventQueue : IAgenda
{
    private Due[] _heap = new Due[1024];

    public int Count { get; private set; }

    public long NextAt => _heap[0].At;

    public void Push(in Due due)
    {
        if (Count == _heap.Length) Array.Resize(ref _heap, Count * 2);
        var child = Count++;
        while (child > 0)
        {
            var parent = (child - 1) >> 1;
            if (!IsBefore(due, _heap[parent])) break;
            _heap[child] = _heap[parent];
            child = parent;
        }
        _heap[child] = due;
    }

    public Due Pop()
    {
        var first = _heap[0];
        var last = _heap[--Count];
        var hole = 0;
        while (true)
        {
            var child = (hole << 1) + 1;
            if (child >= Count) break;
            if (child + 1 < Count && IsBefore(_heap[child + 1], _heap[child])) child++;
            if (!IsBefore(_heap[child], last)) break;
            _heap[hole] = _heap[child];
            hole = child;
        }
        _heap[hole] = last;
        _heap[Count] = default;
        return first;
    }

    private static bool IsBefore(in Due left, in Due right) => left.At != right.At ? left.At < right.At : left.Tie < right.Tie;
}
