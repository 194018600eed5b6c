using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Xunit;

namespace Membership.Client.Tests;

public sealed class HostingTests
{
    [Fact]
    public async Task One_client_serves_the_whole_program_and_is_closed_with_it()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        MembershipClient client;
        await using (var provider = Services(daemon).BuildServiceProvider())
        {
            client = provider.GetRequiredService<MembershipClient>();
            Assert.Same(client, provider.GetRequiredService<MembershipClient>());
            await client.JoinAsync("orders");
            Assert.Equal(1, daemon.Groups.MembersOf("orders"));
        }

        Assert.Equal(0, daemon.Groups.MembersOf("orders"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.JoinAsync("orders"));
    }

    [Fact]
    public async Task Wrong_options_stop_the_host_at_its_start_and_all_mistakes_are_named()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddMembership(options =>
        {
            options.Endpoint = "somewhere";
            options.CallTimeout = TimeSpan.Zero;
        });
        using var host = builder.Build();

        var wrong = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Contains("Endpoint: 'somewhere' is no endpoint", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("CallTimeout is 00:00:00; it must be positive.", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Endpoint_of_another_machine_without_certificates_is_told_with_the_variables_that_name_them()
    {
        var mistakes = new MembershipClientOptions { Endpoint = "https://10.0.0.1:7801", Tls = null }.Check();

        Assert.Equal("Tls is not set; https://10.0.0.1:7801 needs certificates. Set it, or all of MBR_TLS_CA, MBR_TLS_CERT and MBR_TLS_KEY.", Assert.Single(mistakes));
    }

    [Fact]
    public async Task Adding_it_twice_changes_the_options_and_adds_no_second_client()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var provider = Services(daemon).AddMembership(options => options.ProgramName = "billing").BuildServiceProvider();

        Assert.Equal("billing", provider.GetRequiredService<IOptions<MembershipClientOptions>>().Value.ProgramName);
        Assert.Single(provider.GetServices<MembershipClient>());
        Assert.Equal(2, provider.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations.Count);
    }

    [Fact]
    public async Task Quorum_decides_readiness_and_a_passing_loss_of_it_only_degrades()
    {
        var time = new SteppedTime();
        await using var daemon = await FakeDaemon.StartAsync();
        daemon.Quorum.Decide(true, 3);
        await using var provider = Services(daemon, time).BuildServiceProvider();

        Assert.Equal((HealthStatus.Healthy, HealthStatus.Healthy), await CheckAsync(provider));
        daemon.Quorum.Decide(false, 1);
        Assert.Equal((HealthStatus.Healthy, HealthStatus.Degraded), await CheckAsync(provider));
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal((HealthStatus.Healthy, HealthStatus.Degraded), await CheckAsync(provider));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal((HealthStatus.Healthy, HealthStatus.Unhealthy), await CheckAsync(provider));
        daemon.Quorum.Decide(true, 2);
        Assert.Equal((HealthStatus.Healthy, HealthStatus.Healthy), await CheckAsync(provider));
    }

    [Fact]
    public async Task Daemon_that_is_away_for_a_moment_only_degrades()
    {
        var time = new SteppedTime();
        await using var daemon = await FakeDaemon.StartAsync();
        await using var provider = Services(daemon, time).BuildServiceProvider();

        await daemon.GoAsync();
        Assert.Equal((HealthStatus.Degraded, HealthStatus.Degraded), await CheckAsync(provider));
        time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal((HealthStatus.Unhealthy, HealthStatus.Unhealthy), await CheckAsync(provider));
        daemon.Quorum.Decide(true, 3);
        await daemon.ListenAsync();
        Assert.Equal((HealthStatus.Healthy, HealthStatus.Healthy), await CheckAsync(provider));
    }

    [Fact]
    public async Task Readiness_is_told_apart_by_its_tag()
    {
        await using var daemon = await FakeDaemon.StartAsync();
        await using var provider = Services(daemon).BuildServiceProvider();

        var registrations = provider.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations;

        var ready = Assert.Single(registrations, check => check.Tags.Contains(MembershipServiceCollectionExtensions.ReadyTag));
        Assert.Equal(MembershipServiceCollectionExtensions.QuorateCheck, ready.Name);
    }

    private static IServiceCollection Services(FakeDaemon daemon, TimeProvider? time = null) =>
        new ServiceCollection().AddLogging().AddMembership(options =>
        {
            options.Endpoint = daemon.SocketPath;
            options.TimeProvider = time ?? TimeProvider.System;
        });

    private static async Task<(HealthStatus Connected, HealthStatus Quorate)> CheckAsync(IServiceProvider provider)
    {
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        return (report.Entries[MembershipServiceCollectionExtensions.ConnectedCheck].Status, report.Entries[MembershipServiceCollectionExtensions.QuorateCheck].Status);
    }

    /// <summary>Time that passes when told; timers are those of the system.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private long _timestamp;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _timestamp);

        public void Advance(TimeSpan by) => Interlocked.Add(ref _timestamp, by.Ticks);
    }
}
