using Google.Protobuf;
using Membership.V1;

namespace Membership.Client;

/// <summary>One message on its way: first it waits for room, then it is written, then it has a receipt or a failure.</summary>
internal sealed class PendingSend(uint handle, ByteString payload, DeliveryLevel level)
{
    private readonly long _since = ClientTelemetry.Now;
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<GroupReceipt> _receipt = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public uint Handle => handle;

    public ByteString Payload => payload;

    public DeliveryLevel Level => level;

    /// <summary>Completes when the message is taken for writing, or with its failure.</summary>
    public Task Accepted => _accepted.Task;

    public Task<GroupReceipt> Receipt => _receipt.Task;

    public void Accept() => _accepted.TrySetResult();

    public void Confirm(in GroupReceipt receipt)
    {
        if (_receipt.TrySetResult(receipt)) ClientTelemetry.Sent(level, _since);
    }

    public void Fail(GroupSendException failure)
    {
        // Who waits for one of the two need not look at the other.
        if (_accepted.TrySetException(failure)) _ = _accepted.Task.Exception;
        if (!_receipt.TrySetException(failure)) return;
        _ = _receipt.Task.Exception;
        ClientTelemetry.Failed(failure);
    }
}
