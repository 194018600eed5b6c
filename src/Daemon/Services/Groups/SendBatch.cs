using System.Buffers;
using Google.Protobuf;
using Membership.Cpg;
using Membership.Daemon.Ring;
using Membership.Grpc.Messages;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>The payloads of one SendToGroup in one rented block, which goes back when the ring thread has taken the last of them.</summary>
/// <remarks>Payloads are taken out by one task; the ring thread answers for each that was handed over.</remarks>
internal sealed class SendBatch : ISubmitSink, IDisposable
{
    /// <summary>Larger blocks are left to the garbage collector: kept, they would stay the daemon's memory.</summary>
    public const int RentedBytesMax = 1024 * 1024;

    private const byte SendTag = (Proto.GroupRequest.SendFieldNumber << 3) | 2;   // length-delimited

    private readonly byte[] _block;
    private readonly int _length;
    private ReceiptWindow? _window;
    private int _at;
    private int _uses = 1;

    private SendBatch(byte[] block, int length) => (_block, _length) = (block, length);

    /// <summary>The client's number of the membership.</summary>
    public uint Handle { get; private set; }

    /// <summary>How the messages are delivered.</summary>
    public DeliveryLevel Level { get; private set; } = DeliveryLevel.Agreed;

    /// <summary>Only failures are worth a receipt.</summary>
    public bool WithoutReceipts { get; private set; }

    /// <summary>A request that is one send and nothing else, with fields this daemon knows; null for any other, and for bytes that are no request.</summary>
    public static SendBatch? TryRead(in ReadOnlySequence<byte> request)
    {
        if (request.IsEmpty || request.FirstSpan[0] != SendTag || request.Length > Array.MaxLength) return null;
        var length = (int)request.Length;
        var batch = new SendBatch(length <= RentedBytesMax ? ArrayPool<byte>.Shared.Rent(length) : new byte[length], length);
        request.CopyTo(batch._block);
        if (batch.TryReadFields()) return batch;
        batch.Dispose();
        return null;
    }

    /// <summary>A send that came as an object: one with fields of a later version.</summary>
    public static SendBatch Of(Proto.SendToGroup send)
    {
        var known = new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = send.Handle, Level = send.Level, WithoutReceipts = send.WithoutReceipts, Payloads = { send.Payloads } } };
        return TryRead(new ReadOnlySequence<byte>(known.ToByteArray()))!;   // written here, with known fields only
    }

    /// <summary>The next payload; it stays valid until the ring thread has answered for it, when it is handed over, and until <see cref="Dispose"/> otherwise.</summary>
    public bool TryNext(out ReadOnlyMemory<byte> payload)
    {
        var fields = new WireReader(_block.AsSpan(_at, _length - _at));
        while (fields.Next())
        {
            if (fields.Field != Proto.SendToGroup.PayloadsFieldNumber) continue;
            _at = _length - fields.Left;
            payload = _block.AsMemory(_at - fields.Bytes.Length, fields.Bytes.Length);
            return true;
        }
        payload = default;
        return false;
    }

    /// <summary>One more payload is about to be handed over, whose answer this window gets.</summary>
    public ISubmitSink HandOver(ReceiptWindow window)
    {
        _window = window;
        Interlocked.Increment(ref _uses);
        return this;
    }

    /// <summary>The payload was not taken after all: no answer will come.</summary>
    public void TakeBack() => Release();

    /// <inheritdoc/>
    public void Submitted(ulong tag, SendResult result)
    {
        _window!.Submitted(tag, result);   // set before anything was handed over
        Release();
    }

    /// <summary>No further payload will be taken out.</summary>
    public void Dispose() => Release();

    private void Release()
    {
        if (Interlocked.Decrement(ref _uses) == 0 && _length <= RentedBytesMax) ArrayPool<byte>.Shared.Return(_block);
    }

    private bool TryReadFields()
    {
        try
        {
            var request = new WireReader(_block.AsSpan(0, _length));
            if (!request.Next() || request.Left > 0) return false;
            _at = _length - request.Bytes.Length;
            var fields = new WireReader(request.Bytes);
            while (fields.Next())
            {
                switch (fields.Field)
                {
                    case Proto.SendToGroup.HandleFieldNumber when fields.IsNumber: Handle = (uint)fields.Number; break;
                    case Proto.SendToGroup.PayloadsFieldNumber when fields.IsBytes: break;
                    case Proto.SendToGroup.LevelFieldNumber when fields.IsNumber: Level = (int)fields.Number == (int)Proto.DeliveryLevel.Safe ? DeliveryLevel.Safe : DeliveryLevel.Agreed; break;
                    case Proto.SendToGroup.WithoutReceiptsFieldNumber when fields.IsNumber: WithoutReceipts = fields.Number != 0; break;
                    default: return false;
                }
            }
            return true;
        }
        catch (InvalidDataException)
        {
            return false;   // the parser of protobuf says what is wrong with it
        }
    }
}
