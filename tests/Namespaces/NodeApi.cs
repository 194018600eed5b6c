using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.V1;

namespace Membership.Namespaces;

/// <summary>Calls to one daemon over its Unix socket (file sockets are seen across network namespaces). Survives restarts of the daemon.</summary>
public sealed class NodeApi : IDisposable
{
    private static readonly TimeSpan CallLimit = TimeSpan.FromSeconds(5);

    private readonly GrpcChannel _channel;

    internal NodeApi(string socketPath)
    {
        // Not the channel's own business: the handler connects anew whenever the daemon has been restarted.
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        _channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        Ring = new MembershipService.MembershipServiceClient(_channel);
        Quorum = new QuorumService.QuorumServiceClient(_channel);
    }

    /// <summary>The generated stub.</summary>
    public MembershipService.MembershipServiceClient Ring { get; }

    /// <summary>The generated stub.</summary>
    public QuorumService.QuorumServiceClient Quorum { get; }

    /// <summary>Status of the daemon.</summary>
    /// <exception cref="RpcException">The daemon cannot be reached or refuses.</exception>
    public async Task<GetStatusResponse> GetStatusAsync() =>
        await Ring.GetStatusAsync(new GetStatusRequest(), deadline: DateTime.UtcNow + CallLimit);

    /// <summary>Status of the daemon, or null while it cannot be reached.</summary>
    public async Task<GetStatusResponse?> TryGetStatusAsync()
    {
        try
        {
            return await GetStatusAsync();
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
        {
            return null;
        }
    }

    /// <summary>Sends messages in one go and waits for all receipts.</summary>
    /// <exception cref="RpcException">The call broke off.</exception>
    public async Task<IReadOnlyList<Receipt>> SendAsync(IReadOnlyList<byte[]> payloads, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        var (receipts, broken) = await TrySendAsync(payloads, level);
        if (broken is not null) throw broken;
        return receipts.Count == payloads.Count ? receipts : throw new InvalidOperationException($"{receipts.Count} receipts for {payloads.Count} messages");
    }

    /// <summary>Sends messages in one go and waits for all receipts, or those that came before the call broke off, with the reason.</summary>
    public async Task<(IReadOnlyList<Receipt> Receipts, RpcException? Broken)> TrySendAsync(IReadOnlyList<byte[]> payloads, DeliveryLevel level = DeliveryLevel.Agreed)
    {
        using var call = Ring.Multicast();
        var receipts = new List<Receipt>();
        var reading = Task.Run(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None)) receipts.AddRange(call.ResponseStream.Current.Receipts);
        });
        try
        {
            foreach (var batch in payloads.Chunk(MulticastBatch))
            {
                var request = new MulticastRequest { Level = level };
                request.Payloads.AddRange(batch.Select(payload => UnsafeByteOperations.UnsafeWrap(payload)));
                await call.RequestStream.WriteAsync(request);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            // The call is over; the reader has the reason.
        }

        try
        {
            await reading;
            return (receipts, null);
        }
        catch (RpcException e)
        {
            return (receipts, e);
        }
    }

    private const int MulticastBatch = 50;

    /// <summary>Closes the connection.</summary>
    public void Dispose() => _channel.Dispose();
}
