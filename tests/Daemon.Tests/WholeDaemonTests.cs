using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Daemon.Tests;

/// <summary>A daemon of one node as its command line starts it, in this process: what its parts do together.</summary>
public sealed class WholeDaemonTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("membership-whole-");
    private readonly int _tcp = FreePorts.Next(IPAddress.Loopback).Port;
    private readonly int _page = FreePorts.Next(IPAddress.Loopback).Port;
    private Task<int> _daemon = null!;   // these are set by InitializeAsync
    private GrpcChannel _local = null!;

    private AdminService.AdminServiceClient Operator => new(_local);

    public async Task InitializeAsync()
    {
        var authority = CertificateAuthority.Create("test authority", DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        Write("ca.pem", authority.CertificatePem);
        Issue(authority, CertificateUse.Node, "node", ["127.0.0.1"]);
        Issue(authority, CertificateUse.Client, "stranger", []);
        Write("k", $"1 active {Convert.ToBase64String(SHA256.HashData("k"u8))}\n");
        Write("m.yaml", $$"""
            cluster: lab
            key_file: k
            timing: fast
            nodes: [{ name: n1, id: 1, links: ["127.0.0.1:{{FreePorts.Next(IPAddress.Loopback).Port}}"] }]
            api: { tcp: "127.0.0.1:{{_tcp}}", tls: { ca: ca.pem, certificate: node.pem, key: node.key } }
            """);
        _daemon = DaemonProcess.RunAsync(CommandLine.Parse(
            ["--config", At("m.yaml"), "--node", "n1", "--state-dir", At("state"), "--socket", At("api.sock"), "--page", $"127.0.0.1:{_page}", "--log-level", "error"]));
        _local = UnixChannel.Open(At("api.sock"));
        using var limit = new CancellationTokenSource(Limit);
        while (!await IsServedAsync())
        {
            if (_daemon.IsCompleted) await _daemon;   // tells why it could not start
            await Task.Delay(5, limit.Token);
        }
    }

    public async Task DisposeAsync()
    {
        await Operator.LeaveAsync(new LeaveRequest());
        Assert.Equal(ExitCode.Ok, await _daemon.WaitAsync(Limit));
        _local.Dispose();
        _directory.Delete(true);
    }

    [Fact]
    public async Task A_refused_call_is_counted_once_under_its_method_and_the_role_of_the_caller()
    {
        using var channel = TlsChannel.Open(new Uri($"https://127.0.0.1:{_tcp}"), new TlsFiles { Authorities = At("ca.pem"), Certificate = At("stranger.pem"), Key = At("stranger.key") });

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await new AdminService.AdminServiceClient(channel).LeaveAsync(new LeaveRequest()));

        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Equal(["membership_auth_denied_total{rpc=\"membership.v1.AdminService/Leave\",role=\"none\"} 1"], await MetricAsync("membership_auth_denied_total"));
    }

    private async Task<bool> IsServedAsync()
    {
        try
        {
            using var probe = new TcpClient();
            await probe.ConnectAsync(IPAddress.Loopback, _tcp);
            await Operator.WhoAmIAsync(new WhoAmIRequest());
            return true;
        }
        catch (Exception notYet) when (notYet is SocketException or RpcException { StatusCode: StatusCode.Unavailable })
        {
            return false;
        }
    }

    /// <summary>The values of one metric, as the page has them.</summary>
    private async Task<IEnumerable<string>> MetricAsync(string name)
    {
        using var page = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_page}"), Timeout = Limit };
        var text = await page.GetStringAsync(new Uri("metrics", UriKind.Relative));
        return text.Split('\n').Where(line => line.StartsWith(name, StringComparison.Ordinal));
    }

    private void Issue(IssuedCertificate authority, CertificateUse use, string name, string[] alternatives)
    {
        var issued = Access.AccessServer.Issue(authority, use, name, alternatives);
        Write($"{name}.pem", issued.CertificatePem);
        Write($"{name}.key", issued.KeyPem);
    }

    private string At(string name) => Path.Combine(_directory.FullName, name);

    private void Write(string name, string text)
    {
        File.WriteAllText(At(name), text);
        File.SetUnixFileMode(At(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
