using System.Security.Cryptography.X509Certificates;
using Membership.Grpc.Tls;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary><c>mbr auth</c> and <c>mbr ca</c>, and what stands between this command and a daemon of another machine.</summary>
public sealed class AuthTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Whoami_says_who_one_is_and_why()
    {
        var run = await MbrRun.Of(FakeConnector.To(new FakeDaemon()), "auth", "whoami");
        var json = (await MbrRun.Of(FakeConnector.To(new FakeDaemon()), "auth", "whoami", "--json")).Json;

        Assert.Equal((0, "uid:0 pid:1 has the role admin: root is admin\n"), (run.ExitCode, run.Output));
        Assert.Equal("admin", json.GetProperty("role").GetString());
        Assert.Equal("uid:0 pid:1", json.GetProperty("identity").GetString());
    }

    [Theory]
    [InlineData("AdminService/SetVotes", "membership.v1.AdminService/SetVotes")]
    [InlineData("membership.v1.AdminService/SetVotes", "membership.v1.AdminService/SetVotes")]
    [InlineData("quorum set-votes", "membership.v1.AdminService/SetVotes")]
    [InlineData("status", "membership.v1.MembershipService/GetStatus")]
    public async Task Can_i_takes_methods_and_commands(string asked, string method)
    {
        string? heard = null;
        var daemon = new FakeDaemon { WhoAmI = request => Answer(heard = request.Can, allowed: true) };

        var run = await MbrRun.Of(FakeConnector.To(daemon), ["auth", "can-i", .. asked.Split(' ')]);

        Assert.Equal((0, method), (run.ExitCode, heard));
        Assert.StartsWith($"yes: {method} needs the role admin; cert:x has the role read", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Can_i_exits_with_5_for_no_and_64_for_what_is_no_call()
    {
        var daemon = new FakeDaemon { WhoAmI = request => Answer(request.Can, allowed: false) };

        var no = await MbrRun.Of(FakeConnector.To(daemon), "auth", "can-i", "node", "stop", "--json");
        var nonsense = await MbrRun.Of(FakeConnector.To(daemon), "auth", "can-i", "fly");

        Assert.Equal(5, no.ExitCode);
        Assert.False(no.Json.GetProperty("allowed").GetBoolean());
        Assert.Equal("admin", no.Json.GetProperty("needed").GetString());
        Assert.Equal(64, nonsense.ExitCode);
    }

    [Fact]
    public async Task An_authority_and_what_it_issues_are_good_for_tls_and_secret()
    {
        var folder = _scratch["pki"];
        Assert.Equal(0, (await Run("ca", "init", "--dir", folder)).ExitCode);
        Assert.Equal(0, (await Run("ca", "issue", "n1", "--node", "--san", "10.0.0.1", "n1.example", "--dir", folder)).ExitCode);
        var client = await Run("ca", "issue", "alice", "--san", "spiffe://example/alice", "--dir", folder, "--days", "10");

        Assert.Equal(0, client.ExitCode);
        Assert.Contains("cert:spiffe://example/alice", client.Output, StringComparison.Ordinal);
        foreach (var name in new[] { "ca", "n1", "alice" })
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder, $"{name}.key")));
            if (name == "ca") continue;
            var identity = TlsIdentity.Load(new TlsFiles { Authorities = Path.Combine(folder, "ca.pem"), Certificate = Path.Combine(folder, $"{name}.pem"), Key = Path.Combine(folder, $"{name}.key") });
            Assert.True(identity.Vouches(identity.Certificate));
        }
        using var node = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path.Combine(folder, "n1.pem")));
        Assert.Equal(["n1.example"], CertificateNames.Of(node));
        Assert.True(node.MatchesHostname("10.0.0.1") && node.MatchesHostname("n1.example") && !node.MatchesHostname("10.0.0.2"));
    }

    [Fact]
    public async Task The_list_tells_what_each_certificate_is_for_and_when_it_ends()
    {
        var folder = _scratch["pki"];
        await Run("ca", "init", "--dir", folder);
        await Run("ca", "issue", "n1", "--node", "--san", "10.0.0.1", "--dir", folder);
        await Run("ca", "issue", "bob", "--dir", folder, "--days", "10");

        var text = await Run("ca", "list", "--dir", folder);
        var json = (await Run("ca", "list", "--dir", folder, "--json")).Json.GetProperty("certificates");

        Assert.Equal(["bob client 9", "membership authority 3649", "n1 node 364"], json.EnumerateArray().Select(each =>
            $"{each.GetProperty("names")[0].GetString()} {each.GetProperty("use").GetString()} {each.GetProperty("days_left").GetInt32()}"));
        Assert.Contains("bob.pem", text.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(64, "MB1001", "ca", "issue", "n1", "--node", "--dir", "PKI")]
    [InlineData(64, "MB1001", "ca", "issue", "n1", "--node", "--san", "not a name", "--dir", "PKI")]
    [InlineData(64, "MB1009", "ca", "issue", "../n1", "--dir", "PKI")]
    [InlineData(64, "MB1004", "ca", "issue", "x", "--days", "0", "--dir", "PKI")]
    [InlineData(74, "MB1603", "ca", "issue", "x", "--dir", "NOWHERE")]
    [InlineData(74, "MB1603", "ca", "list", "--dir", "NOWHERE")]
    [InlineData(74, "MB1601", "ca", "init", "--dir", "PKI")]
    [InlineData(74, "MB1601", "ca", "issue", "ca", "--dir", "PKI")]
    public async Task Mistakes_are_named_and_nothing_is_overwritten(int exitCode, string code, params string[] arguments)
    {
        await Run("ca", "init", "--dir", _scratch["pki"]);
        var before = await File.ReadAllTextAsync(Path.Combine(_scratch["pki"], "ca.key"));

        var run = await Run([.. arguments.Select(word => word switch { "PKI" => _scratch["pki"], "NOWHERE" => _scratch["nowhere"], _ => word })]);

        Assert.Equal((exitCode, code), (run.ExitCode, run.Error.Split(' ')[0]));
        Assert.Equal(before, await File.ReadAllTextAsync(Path.Combine(_scratch["pki"], "ca.key")));
    }

    [Fact]
    public async Task A_remote_daemon_needs_all_three_files_by_options_or_environment()
    {
        var none = await Run("status", "--socket", "https://127.0.0.1:1");
        var some = await Run("status", "--socket", "https://127.0.0.1:1", "--tls-ca", "ca.pem");
        var missing = await MbrRun.With(new MbrSetup(new Daemons.GrpcDaemonConnector(static _ => null))
        {
            Environment = new() { ["MBR_SOCKET"] = "https://127.0.0.1:1", ["MBR_TLS_CA"] = _scratch["ca"], ["MBR_TLS_CERT"] = _scratch["c"], ["MBR_TLS_KEY"] = _scratch["k"] },
        }, "status");

        Assert.Equal((64, "MB1210"), (none.ExitCode, none.Error.Split(' ')[0]));
        Assert.Contains("with three files; not named: --tls-ca, --tls-cert, --tls-key", none.Error, StringComparison.Ordinal);
        Assert.Contains("with three files; not named: --tls-cert, --tls-key", some.Error, StringComparison.Ordinal);
        Assert.Equal((74, "MB1211"), (missing.ExitCode, missing.Error.Split(' ')[0]));
        Assert.Contains(_scratch["ca"], missing.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MBR_TLS_CA")]
    [InlineData("MBR_TLS_CERT")]
    [InlineData("MBR_TLS_KEY")]
    public async Task A_daemon_of_this_machine_is_reached_although_only_some_of_the_files_are_named(string variable)
    {
        var setup = new MbrSetup(FakeConnector.To(new FakeDaemon())) { Environment = new() { [variable] = _scratch["one"] } };

        var local = await MbrRun.With(setup, "auth", "whoami");
        var remote = await MbrRun.With(setup, "auth", "whoami", "--socket", "https://127.0.0.1:1");

        Assert.True(local.ExitCode == 0, local.Error);
        Assert.Equal((64, "MB1210"), (remote.ExitCode, remote.Error.Split(' ')[0]));
    }

    private static WhoAmIResponse Answer(string can, bool allowed) =>
        new() { Identity = "cert:x", Role = Role.Read, Because = $"asked about {can}", Allowed = allowed, Needed = Role.Admin };

    // Certificates are judged by the clock of the machine.
    private static Task<MbrRun> Run(params string[] arguments) => MbrRun.With(new MbrSetup(new FakeConnector()) { Time = TimeProvider.System }, arguments);
}
