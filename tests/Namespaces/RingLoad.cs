using System.Diagnostics;
using Google.Protobuf;
using Grpc.Core;
using Membership.V1;

namespace Membership.Namespaces;

/// <summary>Sends messages through one daemon at a steady rate until stopped, and keeps account of what became of each.</summary>
public sealed class RingLoad : IAsyncDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(5);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _work;
    private readonly int _perSecond;
    private readonly byte[] _payload;
    private long _delivered;
    private long _refused;

    /// <summary>Starts at once.</summary>
    /// <param name="node">Through whom.</param>
    /// <param name="perSecond">Messages per second, 1 or more.</param>
    /// <param name="sizeBytes">Payload of each.</param>
    public RingLoad(ClusterNode node, int perSecond, int sizeBytes)
    {
        _perSecond = perSecond;
        _payload = new byte[sizeBytes];
        _work = Task.Run(() => RunAsync(node.Api));
    }

    /// <summary>Messages handed to the call so far.</summary>
    public long Sent { get; private set; }

    /// <summary>Receipts with a place in the order so far.</summary>
    public long Delivered => Interlocked.Read(ref _delivered);

    /// <summary>Receipts with a failure so far.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Null unless the call broke off: then why.</summary>
    public string? Broken { get; private set; }

    /// <summary>Sends no more and waits for the receipts of all that was sent.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _work;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task RunAsync(NodeApi api)
    {
        try
        {
            using var call = api.Ring.Multicast();
            var receipts = Task.Run(async () =>
            {
                while (await call.ResponseStream.MoveNext(CancellationToken.None))
                {
                    var failed = call.ResponseStream.Current.Receipts.Count(receipt => receipt.Failure.Length > 0);
                    Interlocked.Add(ref _refused, failed);
                    Interlocked.Add(ref _delivered, call.ResponseStream.Current.Receipts.Count - failed);
                }
            });
            var started = Stopwatch.GetTimestamp();
            while (!_stop.IsCancellationRequested)
            {
                var request = new MulticastRequest { Level = DeliveryLevel.Agreed };
                for (var due = (long)(Stopwatch.GetElapsedTime(started).TotalSeconds * _perSecond); Sent < due; Sent++)
                    request.Payloads.Add(UnsafeByteOperations.UnsafeWrap(_payload));
                if (request.Payloads.Count > 0) await call.RequestStream.WriteAsync(request);
                await Task.Delay(Pace, CancellationToken.None);
            }

            await call.RequestStream.CompleteAsync();
            await receipts;
        }
        catch (RpcException e)
        {
            Broken = e.Status.Detail;
        }
    }
}
