using System.Threading.Channels;

namespace Membership.Daemon.Ring;

/// <summary>A channel of messages whose payloads may take so many bytes together: beyond that writers wait as for a place.</summary>
internal sealed class LimitedSubmits : Channel<Submission>
{
    /// <param name="places">Limits the number of messages.</param>
    /// <param name="bytes">Limits their bytes.</param>
    public LimitedSubmits(Channel<Submission> places, ByteLimit bytes) => (Reader, Writer) = (new Giving(places.Reader, bytes), new Taking(places.Writer, bytes));

    private sealed class Giving(ChannelReader<Submission> places, ByteLimit bytes) : ChannelReader<Submission>
    {
        public override bool CanCount => true;

        public override int Count => places.Count;

        public override bool TryRead(out Submission item)
        {
            if (!places.TryRead(out item)) return false;
            bytes.GiveBack(item.Payload.Length);
            return true;
        }

        public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) => places.WaitToReadAsync(cancellationToken);
    }

    private sealed class Taking(ChannelWriter<Submission> places, ByteLimit bytes) : ChannelWriter<Submission>
    {
        public override bool TryWrite(Submission item)
        {
            if (!bytes.TryTake(item.Payload.Length)) return false;
            if (places.TryWrite(item)) return true;
            bytes.GiveBack(item.Payload.Length);
            return false;
        }

        public override async ValueTask WriteAsync(Submission item, CancellationToken cancellationToken = default)
        {
            await bytes.TakeAsync(item.Payload.Length, cancellationToken);
            try
            {
                await places.WriteAsync(item, cancellationToken);
            }
            catch (Exception unwritten) when (unwritten is ChannelClosedException or OperationCanceledException)
            {
                bytes.GiveBack(item.Payload.Length);
                throw;
            }
        }

        public override ValueTask<bool> WaitToWriteAsync(CancellationToken cancellationToken = default) => places.WaitToWriteAsync(cancellationToken);

        public override bool TryComplete(Exception? error = null) => places.TryComplete(error);
    }
}

/// <summary>Bytes taken and given back, up to a limit; whoever finds it reached waits until some are given back. Any thread.</summary>
internal sealed class ByteLimit(long max)
{
    private readonly BatchSignal _room = new();
    private long _taken;

    /// <summary>Taken and not given back.</summary>
    public long Taken => Volatile.Read(ref _taken);

    /// <summary>Takes them all where the limit is not reached, and so may exceed it by less than these: a large message waits no longer than a small one.</summary>
    public bool TryTake(int bytes)
    {
        if (bytes == 0) return true;
        for (var taken = Taken; taken < max;)
        {
            var before = Interlocked.CompareExchange(ref _taken, taken + bytes, taken);
            if (before == taken) return true;
            taken = before;
        }
        return false;
    }

    /// <summary>As <see cref="TryTake"/>, waiting while the limit is reached.</summary>
    public async ValueTask TakeAsync(int bytes, CancellationToken cancellationToken)
    {
        while (!TryTake(bytes))
        {
            var armed = _room.Arm();
            if (TryTake(bytes)) return;
            await armed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>What was taken; wakes whoever waits.</summary>
    public void GiveBack(int bytes)
    {
        if (bytes == 0) return;
        Interlocked.Add(ref _taken, -bytes);
        _room.Raise();
    }
}
