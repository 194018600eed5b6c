using Google.Protobuf;
using Membership.V1;

namespace Membership.Cli.Demo;

/// <summary>Decides what one node sends when: random payloads at a steady mean rate, a few at a time.</summary>
internal sealed class MessagePump(TimeProvider time, Random random)
{
    /// <summary>How often messages are handed over.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(50);

    private const int PayloadBytesMax = 200;
    private const int BatchMax = 200;
    private double _owed;

    /// <summary>Waits one pace and returns what is due at a rate of messages per second; null when nothing is.</summary>
    public async Task<MulticastRequest?> NextAsync(double rate, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        await Task.Delay(Pace, time, cancellationToken);
        _owed = Math.Min(_owed + (rate * time.GetElapsedTime(began).TotalSeconds), BatchMax);
        if (_owed < 1) return null;
        var request = new MulticastRequest { Level = DeliveryLevel.Agreed };
        for (; _owed >= 1; _owed--)
        {
            var payload = new byte[random.Next(1, PayloadBytesMax + 1)];
            random.NextBytes(payload);
            request.Payloads.Add(UnsafeByteOperations.UnsafeWrap(payload));
        }

        return request;
    }
}
