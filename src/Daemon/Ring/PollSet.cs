using System.Runtime.InteropServices;

namespace Membership.Daemon.Ring;

/// <summary>The descriptors one turn of the loop waits on. Filled anew each turn: a few stores, and nobody has to keep it in step.</summary>
internal sealed unsafe class PollSet(int capacity) : IDisposable
{
    private readonly Libc.PollEntry* _entries = (Libc.PollEntry*)NativeMemory.AllocZeroed((nuint)(capacity * sizeof(Libc.PollEntry)));
    private int _count;

    /// <summary>Forgets all entries.</summary>
    public void Clear() => _count = 0;

    /// <summary>Adds a descriptor; the answer is its place for <see cref="Returned"/>.</summary>
    public int Add(int descriptor, short events)
    {
        if (_count == capacity) throw new InvalidOperationException($"more than {capacity} descriptors to wait on");
        _entries[_count] = new Libc.PollEntry { Descriptor = descriptor, Events = events };
        return _count++;
    }

    /// <summary>What the last wait found for an entry; 0 = nothing.</summary>
    public short Returned(int place) => _entries[place].Returned;

    /// <summary>Waits until something is ready or the time is over; null waits for ever. An interrupted wait is an early one.</summary>
    public void Wait(long? nanoseconds)
    {
        int ready;
        if (nanoseconds is { } limit)
        {
            var timeout = new Libc.TimeSpec { Seconds = limit / 1_000_000_000, Nanoseconds = limit % 1_000_000_000 };
            ready = Libc.Poll(_entries, (nuint)_count, &timeout, null);
        }
        else
        {
            ready = Libc.Poll(_entries, (nuint)_count, null, null);
        }

        if (ready >= 0) return;
        var errno = Libc.Errno;
        for (var place = 0; place < _count; place++) _entries[place].Returned = 0;
        if (errno != Libc.Eintr) throw new InvalidOperationException($"ppoll failed: {Libc.Describe(errno)}");
    }

    public void Dispose() => NativeMemory.Free(_entries);
}
