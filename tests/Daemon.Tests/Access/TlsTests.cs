using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Membership.Grpc.Server.Connections;
using Membership.Grpc.Tls;
using Membership.V1;

namespace Membership.Daemon.Tests.Access;

/// <summary>What mutual TLS keeps out, and that certificates change while the daemon runs. Everything on the loopback.</summary>
public sealed class TlsTests
{
    [Theory]
    [InlineData("common-name", new string[0], "cert:common-name")]
    [InlineData("cn", new[] { "a.example" }, "cert:a.example")]
    [InlineData("cn", new[] { "a.example", "spiffe://example/b" }, "cert:spiffe://example/b")]
    [InlineData("cn", new[] { "10.0.0.7" }, "cert:cn")]
    public async Task The_name_of_a_certificate_is_its_uri_dns_name_or_common_name(string name, string[] alternatives, string identity)
    {
        await using var server = await AccessServer.StartAsync(roles: "read=cert:*");

        var answer = await new AdminService.AdminServiceClient(server.Remote(name, alternatives)).WhoAmIAsync(new WhoAmIRequest());

        Assert.Equal((identity, Role.Read), (answer.Identity, answer.Role));
    }

    [Fact]
    public async Task A_client_without_a_certificate_or_with_one_of_another_authority_fails_the_handshake()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:*");
        var other = CertificateAuthority.Create("test authority", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));   // of the same name
        var foreign = server.Files("foreign", AccessServer.Issue(other, CertificateUse.Client, "ops", []), server.Path("ca.pem"));

        var strange = await Assert.ThrowsAsync<RpcException>(async () => await WhoAmI(server, foreign));
        var bare = await Assert.ThrowsAnyAsync<Exception>(() => TalkAsync(server, new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls13 }));

        Assert.True(strange.StatusCode is StatusCode.Unavailable or StatusCode.Unauthenticated, strange.ToString());
        Assert.True(bare is IOException or AuthenticationException, bare.ToString());
        var refusals = server.Log.Of(6055);
        Assert.Contains(refusals, line => line.Contains("its certificate (CN=ops) is not good", StringComparison.Ordinal));
        Assert.Contains(refusals, line => line.Contains("it has no certificate", StringComparison.Ordinal));
        Assert.Equal(0, server.Control.DeniedCount);
    }

    [Fact]
    public async Task A_certificate_that_has_ended_or_is_not_for_clients_fails_the_handshake()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:*");
        using var signer = X509Certificate2.CreateFromPem(server.Authority.CertificatePem, server.Authority.KeyPem);
        var ended = CertificateAuthority.Issue(signer, CertificateUse.Client, "ended", [], DateTimeOffset.UtcNow, TimeSpan.FromMinutes(-1));
        var lone = CertificateAuthority.Create("self", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));

        foreach (var (name, issued) in new[] { ("ended", ended), ("self", lone) })
        {
            var failure = await Assert.ThrowsAsync<RpcException>(async () => await WhoAmI(server, server.Files(name, issued, server.Path("ca.pem"))));
            Assert.True(failure.StatusCode is StatusCode.Unavailable or StatusCode.Unauthenticated, failure.ToString());
        }
    }

    [Fact]
    public async Task Tls_of_before_1_3_is_refused()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:*");
        var files = server.ClientFiles("old");
        using var certificate = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);

        await Assert.ThrowsAnyAsync<Exception>(() => TalkAsync(server, new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls12, ClientCertificates = [certificate] }));
        await TalkAsync(server, new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls13, ClientCertificates = [certificate], ApplicationProtocols = [SslApplicationProtocol.Http2] });
    }

    [Fact]
    public async Task A_client_does_not_talk_to_a_server_of_another_authority_name_or_purpose()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:*");
        var good = server.ClientFiles("c");
        var other = CertificateAuthority.Create("other", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        server.Write("other.pem", other.CertificatePem);

        var authority = await Assert.ThrowsAsync<RpcException>(async () => await WhoAmI(server, good with { Authorities = server.Path("other.pem") }));
        Replace(server, CertificateUse.Node, ["another.host"]);
        var name = await Assert.ThrowsAsync<RpcException>(async () => await WhoAmI(server, good));
        Replace(server, CertificateUse.Client, ["127.0.0.1"]);
        var purpose = await Assert.ThrowsAsync<RpcException>(async () => await WhoAmI(server, good));
        Replace(server, CertificateUse.Node, ["127.0.0.1"]);
        await WhoAmI(server, good);

        Assert.Equal([StatusCode.Unauthenticated, StatusCode.Unauthenticated, StatusCode.Unauthenticated], [authority.StatusCode, name.StatusCode, purpose.StatusCode]);
    }

    [Fact]
    public async Task Certificates_of_the_server_rotate_while_calls_go_on_and_bad_files_change_nothing()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:*");
        var files = server.ClientFiles("c");
        using var running = new MembershipService.MembershipServiceClient(server.Remote(files)).WatchViews(new WatchViewsRequest());
        Assert.True(await running.ResponseStream.MoveNext(CancellationToken.None));

        var before = await ServerSerialAsync(server, files);
        Replace(server, CertificateUse.Node, ["127.0.0.1"]);
        var after = await ServerSerialAsync(server, files);
        server.Write("node.pem", "garbage");
        var garbled = await ServerSerialAsync(server, files);

        Assert.NotEqual(before, after);
        Assert.Equal(after, garbled);
        Assert.False(running.ResponseStream.MoveNext(CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task Taking_an_authority_away_cuts_those_it_vouched_for_and_nobody_else()
    {
        await using var server = await AccessServer.StartAsync(roles: "admin=cert:*");
        var second = CertificateAuthority.Create("second", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        server.Write("both.pem", server.Authority.CertificatePem + second.CertificatePem);
        server.Write("ca.pem", server.Authority.CertificatePem + second.CertificatePem);
        server.Listener.Refresh();
        using var first = Watch(server, server.ClientFiles("first") with { Authorities = server.Path("both.pem") });
        using var other = Watch(server, server.Files("other", AccessServer.Issue(second, CertificateUse.Client, "other", []), server.Path("both.pem")));
        Assert.True(await first.ResponseStream.MoveNext(CancellationToken.None));
        Assert.True(await other.ResponseStream.MoveNext(CancellationToken.None));

        server.Write("ca.pem", server.Authority.CertificatePem);
        server.Listener.Refresh();

        await Assert.ThrowsAsync<RpcException>(() => other.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(AccessServer.Patience));
        Assert.False(first.ResponseStream.MoveNext(CancellationToken.None).IsCompleted);
        Assert.Contains(server.Log.Of(6055), line => line.Contains("none of the authorities vouches for it any more", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Connections_beyond_the_limit_of_a_source_are_refused_and_those_within_go_on()
    {
        await using var server = await AccessServer.StartAsync(new ConnectionLimits(10, 2), "read=cert:*");
        using var first = Watch(server, server.ClientFiles("c"));
        Assert.True(await first.ResponseStream.MoveNext(CancellationToken.None));
        using var idle = new TcpClient();
        await idle.ConnectAsync(server.TcpAddress.Host, server.TcpAddress.Port);   // never shakes hands, and counts

        var failure = await EventuallyFailsAsync(() => WhoAmI(server, server.ClientFiles("d")));

        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
        Assert.Contains(server.Log.Of(6055), line => line.Contains("the limit of one source", StringComparison.Ordinal));
        Assert.Equal(Role.Admin, (await new AdminService.AdminServiceClient(server.Local()).WhoAmIAsync(new WhoAmIRequest())).Role);
        Assert.False(first.ResponseStream.MoveNext(CancellationToken.None).IsCompleted);
    }

    /// <summary>The five seconds are real time and cannot be made shorter: Kestrel measures them.</summary>
    [Fact]
    public async Task Who_connects_and_says_nothing_is_cut_off()
    {
        await using var server = await AccessServer.StartAsync(roles: "read=cert:*");
        using var silent = new TcpClient();
        await silent.ConnectAsync(server.TcpAddress.Host, server.TcpAddress.Port);

        var read = await silent.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(AccessServer.Patience);

        Assert.Equal(0, read);
    }

    /// <summary>The five seconds are real time and cannot be made shorter: the kernel measures them.</summary>
    [Fact]
    public async Task Who_asks_for_a_long_stream_and_never_reads_it_is_cut_off_within_five_seconds()
    {
        await using var server = await AccessServer.StartAsync(roles: "app=cert:*");
        var files = server.ClientFiles("deaf");
        await using var deaf = await TlsChannel.ConnectAsync(server.TcpAddress, files, CancellationToken.None);

        await deaf.WriteAsync(RawHttp2.Call("/membership.v1.MembershipService/Subscribe"));
        await server.Services.FloodBegan.WaitAsync(AccessServer.Patience);
        var from = Stopwatch.GetTimestamp();
        await server.Services.FloodEnded.WaitAsync(AccessServer.Patience);
        await EventuallyAsync(() => server.Listener.Count == 0);   // the connection is put away a moment later

        Assert.InRange(Stopwatch.GetElapsedTime(from), HalfOpenConnections.CutAfter / 2, HalfOpenConnections.CutAfter * 2);
    }

    [Fact]
    public void Unusable_files_are_named_with_the_remedy()
    {
        var directory = Directory.CreateTempSubdirectory("membership-tls-").FullName;
        var authority = CertificateAuthority.Create("a", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        var stranger = CertificateAuthority.Create("b", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        var files = new TlsFiles { Authorities = Path.Combine(directory, "ca"), Certificate = Path.Combine(directory, "cert"), Key = Path.Combine(directory, "key") };

        Assert.Contains("does not exist. Make one with mbr ca issue", Refused(), StringComparison.Ordinal);
        File.WriteAllText(files.Authorities, "nothing");
        Assert.Contains("holds no certificate in PEM", Refused(), StringComparison.Ordinal);
        File.WriteAllText(files.Authorities, authority.CertificatePem);
        File.WriteAllText(files.Certificate, authority.CertificatePem);
        File.WriteAllText(files.Key, authority.KeyPem);
        File.SetUnixFileMode(files.Key, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains($"Run: chmod 0600 {files.Key}", Refused(), StringComparison.Ordinal);
        File.SetUnixFileMode(files.Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        TlsIdentity.Load(files);
        File.WriteAllText(files.Key, stranger.KeyPem);
        Assert.Contains("is not the private key", Refused(), StringComparison.Ordinal);
        Directory.Delete(directory, true);

        string Refused() => Assert.Throws<TlsFileException>(() => TlsIdentity.Load(files)).Message;
    }

    private static async Task<WhoAmIResponse> WhoAmI(AccessServer server, TlsFiles files)
    {
        using var channel = TlsChannel.Open(server.TcpAddress, files);
        using var limit = new CancellationTokenSource(AccessServer.Patience);
        return await new AdminService.AdminServiceClient(channel).WhoAmIAsync(new WhoAmIRequest(), cancellationToken: limit.Token);
    }

    private static AsyncServerStreamingCall<WatchViewsResponse> Watch(AccessServer server, TlsFiles files) =>
        new MembershipService.MembershipServiceClient(server.Remote(files)).WatchViews(new WatchViewsRequest());

    private static void Replace(AccessServer server, CertificateUse use, string[] alternatives)
    {
        var issued = server.Issue(use, "n1", alternatives);
        server.Write("node.key", issued.KeyPem);
        server.Write("node.pem", issued.CertificatePem);
    }

    private static async Task<string> ServerSerialAsync(AccessServer server, TlsFiles files)
    {
        await using var stream = await TlsChannel.ConnectAsync(server.TcpAddress, files, CancellationToken.None);
        return stream.RemoteCertificate!.GetSerialNumberString();   // there is one, or the handshake had failed
    }

    // In TLS 1.3 the client has finished before the server has looked at its certificate: the refusal comes with the first answer.
    private static async Task TalkAsync(AccessServer server, SslClientAuthenticationOptions options)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(server.TcpAddress.Host, server.TcpAddress.Port);
        await using var stream = new SslStream(client.GetStream(), false, (_, certificate, _, _) => certificate is not null); // the server is not what this test doubts
        options.TargetHost = "127.0.0.1";
        await stream.AuthenticateAsClientAsync(options).WaitAsync(AccessServer.Patience);
        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"u8.ToArray());
        if (await stream.ReadAsync(new byte[9]).AsTask().WaitAsync(AccessServer.Patience) == 0) throw new IOException("the server closed the connection");
    }

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(AccessServer.Patience);
        while (!condition()) await Task.Delay(20, limit.Token);
    }

    private static async Task<RpcException> EventuallyFailsAsync(Func<Task<WhoAmIResponse>> call)
    {
        using var limit = new CancellationTokenSource(AccessServer.Patience);
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            try
            {
                await call();
            }
            catch (RpcException failure)
            {
                return failure;
            }
        }
    }
}
