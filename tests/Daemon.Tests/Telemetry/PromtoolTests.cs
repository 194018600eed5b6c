using Membership.Daemon.Tests.Access;
using Membership.Grpc.Server;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>What promtool says about page and rules.</summary>
[Collection(AloneCollection.Name)]
public sealed class PromtoolTests
{
    [PromtoolFact]
    public async Task Promtool_finds_nothing_to_complain_about_on_the_page()
    {
        await using var node = await OneNode.StartAsync("telemetry: { groups: [orders, \"a \\\"b\\\" \\\\ c\"] }\n", nodes: 3);
        node.Counters.Denied("membership.v1.AdminService/SetVotes", "read");
        node.Counters.CertificateLeft = static () => TimeSpan.FromDays(20);
        await using var server = await GrpcServer.StartAsync(
            new GrpcServerSettings { SocketPath = node.Path("api.sock"), Options = node.Counters.Calls.Measure(new GrpcServerOptions()) }, map => map.MapGrpcService(new TestServices()), CancellationToken.None);
        using var channel = UnixChannel.Open(node.Path("api.sock"));
        await new MembershipService.MembershipServiceClient(channel).GetStatusAsync(new GetStatusRequest());
        var (_, page) = await node.GetAsync("metrics");

        var (code, text) = await Promtool.RunAsync(page, "check", "metrics");

        Assert.Equal("", text);
        Assert.Equal(0, code);
    }

    [PromtoolFact]
    public async Task The_rules_are_valid_and_fire_when_they_should()
    {
        var check = await Promtool.RunAsync(null, "check", "rules", PackagingTests.Rules);
        var test = await Promtool.RunAsync(null, "test", "rules", Path.Combine(PackagingTests.Packaging, "prometheus", "membership.rules.test.yml"));

        Assert.True(check.Code == 0, check.Text);
        Assert.True(test.Code == 0, test.Text);
    }
}
