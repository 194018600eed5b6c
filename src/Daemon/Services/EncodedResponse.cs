using System.Buffers;
using Grpc.Core;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>A response that is bytes already.</summary>
internal sealed class EncodedResponse
{
    /// <summary>Copies the bytes into a call.</summary>
    public static readonly Marshaller<EncodedResponse> Marshaller = Marshallers.Create<EncodedResponse>(
        (response, context) =>
        {
            context.SetPayloadLength(response.Bytes.Length);
            context.GetBufferWriter().Write(response.Bytes.Span);
            context.Complete();
        },
        _ => throw new NotSupportedException("only ever sent"));

    /// <summary>The bytes; unchanged until the write has ended.</summary>
    public ReadOnlyMemory<byte> Bytes { get; set; }
}

/// <summary>Binds <see cref="MembershipApi"/> as generated code does, but Subscribe with responses that are bytes already.</summary>
internal static class MembershipApiBinding
{
    /// <summary>Found by its name through <see cref="BindServiceMethodAttribute"/>.</summary>
    public static void BindService(ServiceBinderBase binder, MembershipApi? service) =>
        Proto.MembershipService.BindService(new SubscribeReplacer(binder, service), service);

    private sealed class SubscribeReplacer(ServiceBinderBase inner, MembershipApi? service) : ServiceBinderBase
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
            inner.AddMethod(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
            inner.AddMethod(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
            inner.AddMethod(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
        {
            if (method is Method<Proto.SubscribeRequest, Proto.SubscribeResponse> subscribe)
            {
                inner.AddMethod(
                    new Method<Proto.SubscribeRequest, EncodedResponse>(subscribe.Type, subscribe.ServiceName, subscribe.Name, subscribe.RequestMarshaller, EncodedResponse.Marshaller),
                    service is null ? null : new ServerStreamingServerMethod<Proto.SubscribeRequest, EncodedResponse>(service.Subscribe));
            }
            else inner.AddMethod(method, handler);
        }
    }
}
