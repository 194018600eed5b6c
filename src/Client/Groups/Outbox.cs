using Membership.V1;

namespace Membership.Client;

/// <summary>The messages of a session in the order of sending: those without room, those ready to be written, those written without receipt.</summary>
/// <remarks>Safe for several threads. Holds no connection: what is lost with one is told by <see cref="FailAll"/>.</remarks>
internal sealed class Outbox(MembershipClientOptions options)
{
    /// <summary>Messages that may stand in line for room; beyond it sending fails at once.</summary>
    public const int LineMax = 65536;

    /// <summary>Payload that may stand in line for room; a larger message stands there alone.</summary>
    public const long LineBytesMax = 256L << 20;

    private readonly Lock _gate = new();
    private readonly LinkedList<PendingSend> _line = [];
    private readonly LinkedList<PendingSend> _ready = [];
    private readonly Queue<PendingSend> _written = new();
    private long _lineBytes;
    private long _acceptedBytes;
    private ulong _windowMessages = ulong.MaxValue;

    /// <summary>Messages that have room: ready or written.</summary>
    public int AcceptedCount
    {
        get
        {
            lock (_gate) return _ready.Count + _written.Count;
        }
    }

    /// <summary>Puts a message at the end. Throws a definite <see cref="GroupSendException"/> when too many stand in line.</summary>
    public void Add(PendingSend send)
    {
        lock (_gate)
        {
            if (_line.Count == 0 && HasRoom(send))
            {
                Accept(send);
                return;
            }
            bool isFull = _line.Count >= LineMax || (_line.Count > 0 && _lineBytes + send.Payload.Length > LineBytesMax);
            if (isFull) throw new GroupSendException(MembershipReason.LimitReached, false, $"Sending: {_line.Count} messages ({_lineBytes} bytes) stand in line already. Await what was sent before sending more.");
            _line.AddLast(send);
            _lineBytes += send.Payload.Length;
        }
    }

    /// <summary>The next request with as many messages as travel together, or null: none is ready.</summary>
    public SendToGroup? NextRequest()
    {
        lock (_gate)
        {
            if (_ready.First is not { } first) return null;
            var request = new SendToGroup { Handle = first.Value.Handle, Level = first.Value.Level };
            long bytes = 0;
            while (_ready.First?.Value is { } next && Fits(request, bytes, next))
            {
                _ready.RemoveFirst();
                _written.Enqueue(next);
                bytes += next.Payload.Length;
                request.Payloads.Add(next.Payload);
            }
            return request;
        }
    }

    /// <summary>The receipt of the oldest written message came. False: there is none.</summary>
    public bool Confirm(Receipt receipt)
    {
        PendingSend? send;
        lock (_gate)
        {
            if (!_written.TryDequeue(out send)) return false;
            _acceptedBytes -= send.Payload.Length;
            AdmitFromLine();
        }
        if (receipt.Failure.Length == 0) send.Confirm(new GroupReceipt(new OrderPosition(receipt.RingId, receipt.Seq, receipt.Index), receipt.Counter, receipt.TNs));
        else send.Fail(new GroupSendException(MembershipReason.NotPossibleNow, receipt.InDoubt, $"Sending: the message was not delivered here: {receipt.Failure}"));
        return true;
    }

    /// <summary>A new connection: how many messages its daemon takes without receipt; 0: any number.</summary>
    public void OnOpened(ulong windowMessages)
    {
        lock (_gate) _windowMessages = windowMessages == 0 ? ulong.MaxValue : windowMessages;
    }

    /// <summary>The connection is lost: what was written may have been delivered, the rest was not sent.</summary>
    public void FailAll(MembershipException cause)
    {
        PendingSend[] inDoubt, unsent;
        lock (_gate)
        {
            inDoubt = [.. _written];
            unsent = [.. _ready, .. _line];
            _written.Clear();
            _ready.Clear();
            _line.Clear();
            _lineBytes = _acceptedBytes = 0;
        }
        foreach (var send in inDoubt) send.Fail(new GroupSendException(cause.Reason, true, $"{cause.Message} The message was on its way; it is not known whether it was delivered.", cause));
        foreach (var send in unsent) send.Fail(new GroupSendException(cause.Reason, false, $"{cause.Message} The message was not sent.", cause));
    }

    /// <summary>Nobody waits for the message any more. True: it was not sent and will not be.</summary>
    public bool TryWithdraw(PendingSend send)
    {
        lock (_gate)
        {
            if (_line.Remove(send))
            {
                _lineBytes -= send.Payload.Length;
                return true;
            }
            if (!_ready.Remove(send)) return false;
            _acceptedBytes -= send.Payload.Length;
            AdmitFromLine();
            return true;
        }
    }

    private bool HasRoom(PendingSend next)
    {
        int accepted = _ready.Count + _written.Count;
        ulong limit = Math.Min((ulong)options.GroupOutstandingMax, _windowMessages);
        return (ulong)accepted < limit && (accepted == 0 || _acceptedBytes + next.Payload.Length <= options.GroupOutstandingBytesMax);
    }

    private void Accept(PendingSend send)
    {
        _ready.AddLast(send);
        _acceptedBytes += send.Payload.Length;
        send.Accept();
    }

    private void AdmitFromLine()
    {
        while (_line.First?.Value is { } next && HasRoom(next))
        {
            _line.RemoveFirst();
            _lineBytes -= next.Payload.Length;
            Accept(next);
        }
    }

    private static bool Fits(SendToGroup request, long bytes, PendingSend next) =>
        request.Payloads.Count == 0
        || (next.Handle == request.Handle && next.Level == request.Level && bytes + next.Payload.Length <= MembershipClientOptions.GroupBatchBytes);
}
