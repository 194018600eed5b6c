using Membership.Client;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the <see cref="MembershipClient"/> of a program.</summary>
/// <example>
/// <code>
/// builder.Services.AddMembership(options => options.Endpoint = "unix:///run/membership/api.sock");
/// builder.Services.AddMembership(options => builder.Configuration.GetSection("Membership").Bind(options));
/// </code>
/// </example>
public static class MembershipServiceCollectionExtensions
{
    /// <summary>Tag of the health check that says whether the program should be given work.</summary>
    public const string ReadyTag = "ready";

    /// <summary>Name of the health check that is unhealthy when the daemon has not been reachable for a while.</summary>
    public const string ConnectedCheck = "membership-connected";

    /// <summary>Name of the health check that is unhealthy when this side of the cluster has had no quorum for a while.</summary>
    public const string QuorateCheck = "membership-quorate";

    /// <summary>
    /// Adds one <see cref="MembershipClient"/> for the whole program, closed with it, its options, checked when the host starts, and two health
    /// checks: <see cref="ConnectedCheck"/>, and <see cref="QuorateCheck"/> with the tag <see cref="ReadyTag"/>.
    /// </summary>
    /// <remarks>Calling it again only adds to the options.</remarks>
    /// <param name="services">Where to add them.</param>
    /// <param name="configure">Changes the options; null: the daemon of this machine.</param>
    public static IServiceCollection AddMembership(this IServiceCollection services, Action<MembershipClientOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<MembershipClientOptions>();
        if (configure is not null) options.Configure(configure);
        if (services.Any(static service => service.ServiceType == typeof(MembershipClient))) return services;

        options.ValidateOnStart();
        services.AddSingleton<IValidateOptions<MembershipClientOptions>, OptionsCheck>();
        services.TryAddSingleton<MembershipHealth>();
        services.AddSingleton(static provider => MembershipClient.Create(provider.GetRequiredService<IOptions<MembershipClientOptions>>().Value));
        services.AddHealthChecks()
            .Add(new HealthCheckRegistration(ConnectedCheck, static provider => new ConnectedHealthCheck(provider.GetRequiredService<MembershipHealth>()), null, null))
            .Add(new HealthCheckRegistration(QuorateCheck, static provider => new QuorateHealthCheck(provider.GetRequiredService<MembershipHealth>()), null, [ReadyTag]));
        return services;
    }

    private sealed class OptionsCheck : IValidateOptions<MembershipClientOptions>
    {
        public ValidateOptionsResult Validate(string? name, MembershipClientOptions options) =>
            options.Check() is [_, ..] mistakes ? ValidateOptionsResult.Fail(mistakes) : ValidateOptionsResult.Success;
    }
}
