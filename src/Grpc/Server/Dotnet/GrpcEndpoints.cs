// Only with -p:WithGrpcDotnet=true: the same members over Grpc.AspNetCore. That package is not available in every place this project is
// built, so the continuous build does not compile this file; check it where the package restores before relying on it.
using System.Collections.Concurrent;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Membership.Grpc.Server;

/// <summary>Serves generated services through endpoint routing.</summary>
public static class GrpcEndpoints
{
    /// <summary>Registers what <see cref="MapGrpcService"/> needs.</summary>
    public static IServiceCollection AddGrpcServices(this IServiceCollection services, GrpcServerOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<ServiceInstances>();
        services.AddSingleton(typeof(IGrpcServiceActivator<>), typeof(InstanceActivator<>));
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MaxReceiveBytes;
            grpc.MaxSendMessageSize = options.MaxSendBytes;
            grpc.ResponseCompressionAlgorithm = options.CompressReplies ? "gzip" : null;
            grpc.Interceptors.Add<AuthorizeInterceptor>();
        });
        return services;
    }

    /// <summary>Serves one instance, a subclass of a generated <c>...Base</c>; every call goes to it, also at the same time.</summary>
    public static void MapGrpcService<TService>(
        this IEndpointRouteBuilder endpoints, TService service, Func<GrpcServerOptions, GrpcServerOptions>? configure = null)
        where TService : class
    {
        var provider = endpoints.ServiceProvider;
        provider.GetRequiredService<ServiceInstances>().Add(service);
        if (configure is not null)
        {
            var own = configure(provider.GetRequiredService<GrpcServerOptions>());
            var grpc = provider.GetRequiredService<IOptions<GrpcServiceOptions<TService>>>().Value;
            grpc.MaxReceiveMessageSize = own.MaxReceiveBytes;
            grpc.MaxSendMessageSize = own.MaxSendBytes;
        }
        endpoints.MapGrpcService<TService>();
    }

    /// <summary>Nothing to do: the package answers unknown methods itself.</summary>
    public static void MapGrpcUnimplemented(this IEndpointRouteBuilder endpoints)
    {
    }
}

/// <summary>The instances that were mapped, by type.</summary>
internal sealed class ServiceInstances
{
    private readonly ConcurrentDictionary<Type, object> _instances = new();

    public void Add<TService>(TService service) where TService : class => _instances[typeof(TService)] = service;

    public TService Get<TService>() where TService : class => (TService)_instances[typeof(TService)];
}

/// <summary>Gives the mapped instance to every call.</summary>
internal sealed class InstanceActivator<TService>(ServiceInstances instances) : IGrpcServiceActivator<TService>
    where TService : class
{
    public GrpcActivatorHandle<TService> Create(IServiceProvider serviceProvider) => new(instances.Get<TService>(), created: false, state: null);

    public ValueTask ReleaseAsync(GrpcActivatorHandle<TService> service) => ValueTask.CompletedTask;
}

/// <summary>Asks <see cref="GrpcServerOptions.Authorize"/> before each call and tells <see cref="GrpcServerOptions.Ended"/> after it.</summary>
internal sealed class AuthorizeInterceptor(GrpcServerOptions options) : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        AroundAsync(context, request, () => continuation(request, context));

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation) =>
        AroundAsync(context, null, () => continuation(requestStream, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        AroundAsync(context, request, async () =>
        {
            await continuation(request, responseStream, context);
            return true;
        });

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        AroundAsync(context, null, async () =>
        {
            await continuation(requestStream, responseStream, context);
            return true;
        });

    private async Task<T> AroundAsync<T>(ServerCallContext context, object? request, Func<Task<T>> handle)
    {
        var outcome = new Status(StatusCode.Unknown, "The service failed; its log has the details.");
        try
        {
            if (options.Authorize?.Invoke(context) is { StatusCode: not StatusCode.OK } refusal) throw new RpcException(refusal);
            if (request is not null) options.RequestRead?.Invoke(context, request);
            var result = await handle();
            outcome = context.Status;
            return result;
        }
        catch (RpcException chosen)
        {
            outcome = chosen.Status;
            throw;
        }
        finally
        {
            options.Ended?.Invoke(context, outcome);
        }
    }
}
