namespace Membership.Client;

/// <summary>Lets messages in while few enough messages and bytes are inside; who must wait waits in line.</summary>
/// <remarks>
/// Safe for several threads. A message larger than all the room for bytes is let in alone. Closing ends every wait with false,
/// now and later.
/// </remarks>
internal sealed class OutstandingGate(int maxMessages, long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _line = [];
    private int _messages;
    private long _bytes;
    private bool _closed;

    /// <summary>True: the message is in. False: it would have to wait, or the gate is closed.</summary>
    public bool TryEnter(long bytes)
    {
        lock (_lock)
        {
            if (_closed || _line.Count > 0 || !HasRoom(bytes)) return false;
            Count(bytes);
            return true;
        }
    }

    /// <summary>True once the message is in; false when the gate was closed. Cancelled: it is not in.</summary>
    public async ValueTask<bool> EnterAsync(long bytes, CancellationToken cancellationToken)
    {
        LinkedListNode<Waiter> place;
        lock (_lock)
        {
            if (_closed) return false;
            if (_line.Count == 0 && HasRoom(bytes))
            {
                Count(bytes);
                return true;
            }
            place = _line.AddLast(new Waiter(bytes));
        }

        await using var registration = cancellationToken.UnsafeRegister(_ => Leave(place, cancellationToken), null).ConfigureAwait(false);
        return await place.Value.Entered.Task.ConfigureAwait(false);
    }

    public void Exit(long bytes)
    {
        lock (_lock)
        {
            _messages--;
            _bytes -= bytes;
            AdmitFromLine();
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (var waiter in _line) waiter.Entered.TrySetResult(false);
            _line.Clear();
        }
    }

    private bool HasRoom(long bytes) => _messages < maxMessages && (_bytes + bytes <= maxBytes || _messages == 0);

    private void Count(long bytes)
    {
        _messages++;
        _bytes += bytes;
    }

    private void AdmitFromLine()
    {
        while (_line.First is { } first && HasRoom(first.Value.Bytes))
        {
            _line.RemoveFirst();
            Count(first.Value.Bytes);
            first.Value.Entered.TrySetResult(true);
        }
    }

    private void Leave(LinkedListNode<Waiter> place, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (place.List is null) return;   // it got in, or the gate was closed
            _line.Remove(place);
            place.Value.Entered.TrySetCanceled(cancellationToken);
            AdmitFromLine();
        }
    }

    private sealed record Waiter(long Bytes)
    {
        public TaskCompletionSource<bool> Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
