using System.Reflection;
using Grpc.Core;
using Membership.Grpc.Server.Kestrel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Membership.Grpc.Server;

/// <summary>Serves generated services through endpoint routing.</summary>
public static class GrpcEndpoints
{
    /// <summary>Registers what <see cref="MapGrpcService"/> needs.</summary>
    public static IServiceCollection AddGrpcServices(this IServiceCollection services, GrpcServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        services.AddRouting();
        services.AddSingleton(options);
        services.AddSingleton<ServerInvoker>();
        return services;
    }

    /// <summary>Serves one instance, a subclass of a generated <c>...Base</c>; every call goes to it, also at the same time.</summary>
    /// <param name="configure">Changes the options for this service alone.</param>
    public static void MapGrpcService<TService>(
        this IEndpointRouteBuilder endpoints, TService service, Func<GrpcServerOptions, GrpcServerOptions>? configure = null)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(service);
        var options = endpoints.ServiceProvider.GetRequiredService<GrpcServerOptions>();
        if (configure is not null) options = configure(options);
        var binder = new EndpointBinder(endpoints, endpoints.ServiceProvider.GetRequiredService<ServerInvoker>(), options);
        FindBindMethod(service.GetType()).Invoke(null, BindingFlags.DoNotWrapExceptions, null, [binder, service], null);
    }

    /// <summary>Answers every other gRPC call with UNIMPLEMENTED, where HTTP would answer 404.</summary>
    public static void MapGrpcUnimplemented(this IEndpointRouteBuilder endpoints)
    {
        // Not the ordinary fallback: its pattern leaves out names that look like files, and those of gRPC methods hold dots.
        endpoints.Map("{**any}", ServerInvoker.AnswerUnimplementedAsync)
            .WithDisplayName("gRPC unimplemented")
            .Add(builder => ((RouteEndpointBuilder)builder).Order = int.MaxValue);
    }

    private static MethodInfo FindBindMethod(Type service)
    {
        var bind = service.GetCustomAttribute<BindServiceMethodAttribute>(inherit: true)
            ?? throw new ArgumentException($"{service} is no gRPC service: derive it from the generated ...Base class.", nameof(service));
        foreach (var method in bind.BindType.GetMethods(BindingFlags.Public | BindingFlags.Static))
        {
            var parameters = method.GetParameters();
            bool fits = method.Name == bind.BindMethodName
                && parameters.Length == 2
                && parameters[0].ParameterType == typeof(ServiceBinderBase)
                && parameters[1].ParameterType.IsAssignableFrom(service);
            if (fits) return method;
        }
        throw new ArgumentException($"{bind.BindType} has no method {bind.BindMethodName} for {service}.", nameof(service));
    }
}
