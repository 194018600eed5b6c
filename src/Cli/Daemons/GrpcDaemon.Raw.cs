using System.Buffers;
using Grpc.Core;

namespace Membership.Cli.Daemons;

/// <content>Sessions of groups in bytes.</content>
internal sealed partial class GrpcDaemon
{
    /// <summary>Bytes of a request, or nothing: a response is handed on where it is read.</summary>
    private sealed class RawMessage
    {
        public ReadOnlyMemory<byte> Bytes { get; set; }
    }

    private sealed class RawSession : IRawGroupSession
    {
        private readonly GrpcDaemon _daemon;
        private readonly ResponseTaker _taker;
        private readonly AsyncDuplexStreamingCall<RawMessage, RawMessage> _call;
        private readonly RawMessage _request = new();
        private readonly RawMessage _response = new();
        private byte[] _joined = [];

        public RawSession(GrpcDaemon daemon, ResponseTaker taker, CancellationToken cancellationToken)
        {
            _daemon = daemon;
            _taker = taker;
            var method = new Method<RawMessage, RawMessage>(
                MethodType.DuplexStreaming, "membership.v1.GroupService", "Session", Marshallers.Create<RawMessage>(Write, Take), Marshallers.Create<RawMessage>(Write, Take));
            _call = daemon._invoker.AsyncDuplexStreamingCall(method, null, new CallOptions(cancellationToken: cancellationToken));
        }

        public Task SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
        {
            _request.Bytes = request;
            return _daemon.WriteAsync(_call.RequestStream, _request, cancellationToken);
        }

        public Task CompleteAsync() => _daemon.CompleteAsync(_call.RequestStream);

        public Task<bool> ReadAsync(CancellationToken cancellationToken) => _daemon.MoveAsync(_call.ResponseStream, cancellationToken);

        public ValueTask DisposeAsync()
        {
            _call.Dispose();
            return ValueTask.CompletedTask;
        }

        private static void Write(RawMessage message, SerializationContext context)
        {
            context.SetPayloadLength(message.Bytes.Length);
            context.GetBufferWriter().Write(message.Bytes.Span);
            context.Complete();
        }

        private RawMessage Take(DeserializationContext context)
        {
            var bytes = context.PayloadAsReadOnlySequence();
            if (bytes.IsSingleSegment) _taker(bytes.FirstSpan);
            else
            {
                var length = (int)bytes.Length;
                if (_joined.Length < length) _joined = new byte[Math.Max(length, 2 * _joined.Length)];
                bytes.CopyTo(_joined);
                _taker(_joined.AsSpan(0, length));
            }
            return _response;
        }
    }
}
