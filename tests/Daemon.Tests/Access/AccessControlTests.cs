using Grpc.Core;
using Membership.Daemon.Access;
using Membership.Grpc.Errors;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Daemon.Tests.Access;

/// <summary>The one point every call passes, over real connections; as other users of the machine tests/EndToEnd calls.</summary>
public sealed class AccessControlTests
{
    [Fact]
    public async Task The_daemons_own_user_may_do_everything()
    {
        await using var server = await AccessServer.StartAsync();
        var admin = new AdminService.AdminServiceClient(server.Local());

        var answer = await admin.WhoAmIAsync(new WhoAmIRequest { Can = "membership.v1.AdminService/SetVotes" });

        Assert.Equal((Role.Admin, true, Role.Admin), (answer.Role, answer.Allowed, answer.Needed));
        Assert.Equal($"uid:{UnixPeer.OwnUserId} pid:{Environment.ProcessId}", answer.Identity);
    }

    [Fact]
    public async Task A_refusal_names_the_role_that_is_needed_the_caller_its_role_and_the_remedy_for_people_and_programs()
    {
        await using var server = await AccessServer.StartAsync(roles: "read=cert:reader");
        var admin = new AdminService.AdminServiceClient(server.Remote("reader"));

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await admin.LeaveAsync(new LeaveRequest()));

        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
        Assert.Equal(
            "membership.v1.AdminService/Leave needs the role operate; you are cert:reader with the role read (api.roles[0] names cert:reader). " +
            "To allow it, add cert:reader to api.roles.operate in membership.yaml on this node and send the daemon SIGHUP; root may call without.",
            failure.Status.Detail);
        var error = RichError.From(failure);
        Assert.NotNull(error);
        Assert.Equal(AccessControl.DeniedReason, error.Reason);
        Assert.Equal(("operate", "read", "cert:reader", "membership.v1.AdminService/Leave"),
            (error.Metadata["role_needed"], error.Metadata["role"], error.Metadata["identity"], error.Metadata["method"]));
        Assert.Equal(1, server.Control.DeniedCount);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("read=cert:c", 1)]
    [InlineData("app=cert:c", 2)]
    [InlineData("operate=cert:c", 3)]
    [InlineData("admin=cert:c", 4)]
    public async Task Each_role_may_call_what_needs_it_or_less_and_nothing_more(string grant, int rank)
    {
        await using var server = await AccessServer.StartAsync(roles: grant.Length == 0 ? [] : [grant]);
        var invoker = server.Remote("c").CreateCallInvoker();
        var raw = Marshallers.Create(bytes => bytes, (byte[] bytes) => bytes);

        // Unary on the wire whatever the method is: the decision comes before the first message.
        foreach (var method in MethodTable.Read().All)
        {
            var name = method.Name.Split('/');
            using var limit = new CancellationTokenSource(AccessServer.Patience);
            var call = invoker.AsyncDuplexStreamingCall(new Method<byte[], byte[]>(MethodType.DuplexStreaming, name[0], name[1], raw, raw), null, new CallOptions(cancellationToken: limit.Token));
            await call.RequestStream.CompleteAsync();
            var status = await StatusOf(call);
            if (rank >= (int)method.Needed) Assert.NotEqual(StatusCode.PermissionDenied, status);
            else Assert.True(status is StatusCode.PermissionDenied or StatusCode.Unimplemented, $"{method.Name}: {status}");
        }
    }

    [Fact]
    public async Task Streams_are_refused_before_their_first_message()
    {
        await using var server = await AccessServer.StartAsync(roles: "read=cert:c");
        var membership = new MembershipService.MembershipServiceClient(server.Remote("c"));

        using var call = membership.Multicast();
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
    }

    [Fact]
    public async Task Health_and_reflection_need_the_role_read()
    {
        await using var server = await AccessServer.StartAsync(roles: "read=cert:reader");
        var named = new global::Grpc.Health.V1.Health.HealthClient(server.Remote("reader"));
        var unnamed = new global::Grpc.Health.V1.Health.HealthClient(server.Remote("nobody"));

        var known = await Assert.ThrowsAsync<RpcException>(async () => await named.CheckAsync(new() { Service = "no such" }));
        var unknown = await Assert.ThrowsAsync<RpcException>(async () => await unnamed.CheckAsync(new()));

        Assert.Equal(StatusCode.NotFound, known.StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, unknown.StatusCode);
    }

    [Fact]
    public async Task Calls_under_way_end_when_their_caller_loses_the_role_and_others_go_on()
    {
        await using var server = await AccessServer.StartAsync(roles: ["read=cert:loser", "read=cert:keeper"]);
        using var losing = new MembershipService.MembershipServiceClient(server.Remote("loser")).WatchViews(new WatchViewsRequest());
        using var keeping = new MembershipService.MembershipServiceClient(server.Remote("keeper")).WatchViews(new WatchViewsRequest());
        Assert.True(await losing.ResponseStream.MoveNext(CancellationToken.None));
        Assert.True(await keeping.ResponseStream.MoveNext(CancellationToken.None));

        server.Control.Replace(server.Book("read=cert:keeper"));

        var failure = await Assert.ThrowsAsync<RpcException>(() => losing.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(AccessServer.Patience));
        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
        Assert.False(keeping.ResponseStream.MoveNext(CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task Every_call_that_changes_something_is_audited_with_its_arguments_and_outcome()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:ops");
        var admin = new AdminService.AdminServiceClient(server.Remote("ops"));

        await Assert.ThrowsAsync<RpcException>(async () => await admin.SetVotesAsync(new SetVotesRequest { Node = 3, Votes = 5 }));
        await admin.WhoAmIAsync(new WhoAmIRequest());

        await server.Log.FirstOf(6030).WaitAsync(AccessServer.Patience);
        var line = Assert.Single(server.Log.Of(6030));
        Assert.StartsWith("audit: cert:ops (admin) called membership.v1.AdminService/SetVotes { \"node\": 3, \"votes\": \"5\" }: Unimplemented", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refusals_are_audited_and_a_thousand_of_them_are_a_few_lines()
    {
        await using var server = await AccessServer.StartAsync();
        var admin = new AdminService.AdminServiceClient(server.Remote("knocker"));

        for (var i = 0; i < 1000; i++) await Assert.ThrowsAsync<RpcException>(async () => await admin.LeaveAsync(new LeaveRequest()));
        server.Audit.FlushAll();

        Assert.Equal("audit: cert:knocker (none) was refused membership.v1.AdminService/Leave, which needs the role operate. " +
            "If it should be allowed, add the caller to api.roles.operate and send SIGHUP; if not, find out who that is", server.Log.Of(6031)[0]);
        Assert.InRange(server.Log.Of(6031).Count, 1, 10);
        Assert.Contains(server.Log.Of(6032), line => line.Contains("cert:knocker", StringComparison.Ordinal));
        Assert.Equal(1000, server.Control.DeniedCount);
    }

    [Fact]
    public async Task Hostile_names_in_certificates_reach_logs_and_errors_escaped()
    {
        await using var server = await AccessServer.StartAsync();
        var admin = new AdminService.AdminServiceClient(server.Remote(server.Files("hostile", server.Issue(Membership.Grpc.Tls.CertificateUse.Client, "a\u001b[31m\nb<script>", []), server.Path("ca.pem"))));

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await admin.LeaveAsync(new LeaveRequest()));

        Assert.Contains("cert:a\\u{1b}[31m\\u{a}b<script>", failure.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', failure.Status.Detail);
        Assert.All(server.Log.Of(6031), line => Assert.DoesNotContain('\n', line));
    }

    [Fact]
    public async Task A_question_about_an_unknown_method_is_answered_with_not_found()
    {
        await using var server = await AccessServer.StartAsync();
        var admin = new AdminService.AdminServiceClient(server.Local());

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await admin.WhoAmIAsync(new WhoAmIRequest { Can = "no.Such/Thing" }));

        Assert.Equal(StatusCode.NotFound, failure.StatusCode);
        Assert.Equal("UNKNOWN_METHOD", RichError.From(failure)?.Reason);
    }

    private static async Task<StatusCode> StatusOf(AsyncDuplexStreamingCall<byte[], byte[]> call)
    {
        try
        {
            await call.ResponseStream.MoveNext(CancellationToken.None);   // a first message is as good as an end: it was not refused
            return StatusCode.OK;
        }
        catch (RpcException failure)
        {
            return failure.StatusCode;
        }
        finally
        {
            call.Dispose();
        }
    }
}
