using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Routing;

namespace Membership.Grpc.Server.Services;

/// <summary>Serves reflection.</summary>
public static class ReflectionEndpoints
{
    /// <summary>Serves both versions of reflection for the given services; both list themselves too.</summary>
    public static void MapGrpcReflection(this IEndpointRouteBuilder endpoints, params IEnumerable<ServiceDescriptor> services)
    {
        ServiceDescriptor[] all =
        [
            .. services,
            .. global::Grpc.Reflection.V1.ReflectionV1Reflection.Descriptor.Services,
            .. global::Grpc.Reflection.V1Alpha.ReflectionV1AlphaReflection.Descriptor.Services,
        ];
        endpoints.MapGrpcService(new ReflectionV1Service(all));
        endpoints.MapGrpcService(new ReflectionV1AlphaService(all));
    }
}
