using Membership.Grpc.Tls;
using Membership.Namespaces;
using Xunit;

namespace Membership.Client.Tests;

/// <summary>The SDK with real daemons of "other machines": addresses and certificates instead of a Unix socket.</summary>
public sealed class RemoteTests : IAsyncLifetime, IAsyncDisposable
{
    private const int Nodes = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly LoopbackCluster _cluster = new(Nodes, "api: { tcp: \"{api}\", roles: { app: [\"cert:program\"], read: [\"cert:reader\"] } }\n");

    public Task InitializeAsync()
    {
        _cluster.MakeCertificates();
        return _cluster.StartAllAsync();
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public async Task Views_groups_and_messages_work_over_mutual_tls_as_over_the_socket()
    {
        var files = _cluster.MakeClient("program");
        await using var first = Client(1, files);
        await using var second = Client(2, files);

        await using var views = first.WatchViewsAsync().GetAsyncEnumerator();
        Assert.True(await views.MoveNextAsync().AsTask().WaitAsync(Patience));
        await using var reading = await first.JoinAsync("orders").WaitAsync(Patience);
        await using var sending = await second.JoinAsync("orders").WaitAsync(Patience);
        var receipt = await sending.SendAsync("over the wire"u8.ToArray(), V1.DeliveryLevel.Safe).WaitAsync(Patience);
        var message = await FirstMessageAsync(reading);

        Assert.Equal(Nodes, views.Current.Members.Count);
        Assert.Equal(("over the wire", receipt.Position, sending.Self), (message.Text, message.Position, message.Sender));
        Assert.Equal(0U, sending.Self.ProcessId);   // a process of another machine
        Assert.Equal(["orders"], (await first.ListGroupsAsync()).Select(group => group.Name));
    }

    [Fact]
    public async Task Group_over_mutual_tls_is_joined_again_after_its_daemon_was_killed()
    {
        await using var client = Client(1, _cluster.MakeClient("program"));
        await using var group = await client.JoinAsync("orders").WaitAsync(Patience);

        _cluster.Kill(1);
        _cluster.Start(1);
        var seen = await GroupReading.ReadAsync(group, 3, Patience);

        Assert.Equal(["+1 =1", "interrupted Unavailable", "+1 =1"], seen.Select(GroupReading.Describe));
    }

    [Fact]
    public async Task Certificate_without_the_role_is_refused_with_the_role_it_needs()
    {
        await using var client = Client(1, _cluster.MakeClient("reader"));

        var status = await client.GetStatusAsync().WaitAsync(Patience);
        var refused = await Assert.ThrowsAsync<MembershipException>(() => client.JoinAsync("orders").WaitAsync(Patience));

        Assert.Equal("n1", status.NodeName);
        Assert.Equal((MembershipReason.Denied, "PERMISSION_DENIED", "app"), (refused.Reason, refused.Word, refused.Metadata["role_needed"]));
        Assert.Equal("cert:reader", refused.Metadata["identity"]);
    }

    [Fact]
    public async Task Daemon_that_is_not_vouched_for_is_not_talked_to()
    {
        var files = _cluster.MakeClient("program");
        var other = CertificateAuthority.Create("loopback authority", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));   // of the same name
        var authorities = Path.Combine(_cluster.Folder, "other.pem");
        await File.WriteAllTextAsync(authorities, other.CertificatePem);
        await using var client = Client(1, files with { Authorities = authorities });

        var refused = await Assert.ThrowsAsync<MembershipException>(() => client.GetStatusAsync().WaitAsync(Patience));

        Assert.Equal((MembershipReason.Denied, null), (refused.Reason, refused.Word));
    }

    private MembershipClient Client(int node, TlsFiles files) => MembershipClient.Create(new MembershipClientOptions
    {
        Endpoint = _cluster.Remote(node).GetLeftPart(UriPartial.Authority),
        Tls = files,
        ConnectFor = Patience,
        ReconnectDelayMin = TimeSpan.FromMilliseconds(20),
        CallTimeout = TimeSpan.FromSeconds(10),
    });

    private static async Task<GroupUpdate.Message> FirstMessageAsync(ProcessGroup group)
    {
        using var limit = new CancellationTokenSource(Patience);
        await foreach (var update in group.ReadAllAsync(limit.Token))
        {
            if (update is GroupUpdate.Message message) return message;
        }
        throw new InvalidOperationException("the group ended");
    }
}
