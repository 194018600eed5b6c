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

/// <summary>Binds a service as generated code does; a derived one replaces single methods.</summary>
internal abstract class ForwardingBinder(ServiceBinderBase inner) : ServiceBinderBase
{
    /// <summary>What is bound to.</summary>
    protected ServiceBinderBase Inner { get; } = inner;

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
        Inner.AddMethod(method, handler);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
        Inner.AddMethod(method, handler);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
        Inner.AddMethod(method, handler);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) =>
        Inner.AddMethod(method, handler);

    /// <summary>The same method with responses that are bytes already.</summary>
    protected static Method<TRequest, EncodedResponse> Encoded<TRequest, TResponse>(Method<TRequest, TResponse> method) =>
        new(method.Type, method.ServiceName, method.Name, method.RequestMarshaller, EncodedResponse.Marshaller);
}

/// <summary>Binds <see cref="MembershipApi"/> as generated code does, but Subscribe with responses that are bytes already.</summary>
internal static class MembershipApiBinding
{
    /// <summary>Found by its name through <see cref="BindServiceMethodAttribute"/>.</summary>
    public static void BindService(ServiceBinderBase binder, MembershipApi? service) =>
        Proto.MembershipService.BindService(new SubscribeReplacer(binder, service), service);

    private sealed class SubscribeReplacer(ServiceBinderBase inner, MembershipApi? service) : ForwardingBinder(inner)
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
        {
            if (method is Method<Proto.SubscribeRequest, Proto.SubscribeResponse> subscribe)
                Inner.AddMethod(Encoded(subscribe), service is null ? null : new ServerStreamingServerMethod<Proto.SubscribeRequest, EncodedResponse>(service.Subscribe));
            else base.AddMethod(method, handler);
        }
    }
}
