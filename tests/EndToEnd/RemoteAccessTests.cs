using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Membership.Namespaces;
using Xunit;
using Xunit.Abstractions;

namespace Membership.EndToEnd;

/// <summary>Who may do what, with real users, real certificates and real cables; and the commands of docs/operating/security.md as they stand there.</summary>
public partial class RemoteAccessTests(ITestOutputHelper output) : ClusterTest(output)
{
    private const string Nobody = "65534";
    private const int Denied = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [RootFact("setpriv")]
    public async Task Another_user_of_the_machine_has_the_role_that_is_granted_to_him_or_his_group_and_none_without()
    {
        await StartAsync(new ClusterPlan { Nodes = 1, MoreConfiguration = $"api: {{ roles: {{ read: [\"user:{Nobody}\"], operate: [\"group:4712\"] }} }}\n" });
        Open(Cluster.Folder);

        var named = WhoAmI(Nobody, Nobody);
        var grouped = WhoAmI("4711", "4711", "--groups=4712");
        var unnamed = WhoAmI("4711", "4711");
        File.WriteAllText(Cluster.ConfigurationPath, File.ReadAllText(Cluster.ConfigurationPath).Replace($"\"user:{Nobody}\"", "", StringComparison.Ordinal));
        Command.Run("kill", "-HUP", Node(1).Daemon.Id.ToString(CultureInfo.InvariantCulture));
        await Eventually.HoldsAsync("user 65534 has lost its role", Patience, () => WhoAmI(Nobody, Nobody).Code == Denied);

        Assert.True(named.Code == 0, named.Error);
        Assert.Contains("\"role\":\"read\"", named.Output, StringComparison.Ordinal);
        Assert.Contains("\"role\":\"operate\"", grouped.Output, StringComparison.Ordinal);
        Assert.Equal(Denied, unnamed.Code);
        Assert.Contains("needs the role read; you are uid:4711", unnamed.Error, StringComparison.Ordinal);
        Assert.Contains("audit: uid:4711", Node(1).Daemon.Log, StringComparison.Ordinal);
    }

    [RootFact("openssl ss")]
    public async Task A_connection_whose_other_machine_is_cut_off_ends_within_five_seconds_and_an_idle_one_does_not()
    {
        Prepare(new ClusterPlan { Nodes = 1, Strangers = 1, MoreConfiguration = "api: { tcp: \"10.98.0.0/24:7801\" }\n" });
        Certificates();
        Node(1).Start();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);
        var tls = Path.Combine(Cluster.Folder, "tls");
        using var client = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "ip", ["netns", "exec", Cluster.Network.Namespace(VirtualNetwork.StrangerFirst), "openssl", "s_client", "-tls1_3", "-alpn", "h2", "-quiet",
                "-CAfile", $"{tls}/ca.pem", "-cert", $"{tls}/client.pem", "-key", $"{tls}/client.key", "-connect", "10.98.0.1:7801"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            await Eventually.HoldsAsync("the client is connected", Patience, () => Established() == 1);
            var idleUntil = DateTime.UtcNow + TimeSpan.FromSeconds(8);
            await Eventually.HoldsAsync("eight idle seconds have passed", Patience, () => Established() == 1 ? DateTime.UtcNow >= idleUntil : throw new InvalidOperationException("an idle connection was cut"));

            Cluster.Network.SetCables(VirtualNetwork.StrangerFirst, plugged: false);
            var took = await Eventually.HoldsAsync("the connection is gone", Patience, () => Established() == 0);

            Assert.InRange(took.TotalSeconds, 1, 7);   // five, and what polling and a probe's pace add
        }
        finally
        {
            client.Kill(entireProcessTree: true);
        }
    }

    [RootFact]
    public async Task The_commands_of_the_security_manual_work_in_their_order()
    {
        Prepare(new ClusterPlan { Nodes = 1, MoreConfiguration = "api:\n  tcp: \"10.98.0.0/24:7801\"\n  roles:\n    read: [\"cert:alice\"]\n" });
        var shell = new StringBuilder();
        var all = new StringBuilder();
        foreach (var line in GuideCommands())
        {
            if (line == "systemctl restart membershipd")
            {
                Run(shell.ToString());
                Node(1).Start();
                await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);
                shell.Clear();
            }
            else shell.AppendLine(line == "systemctl reload membershipd" ? $"kill -HUP {Node(1).Daemon.Id}" : line);
            all.AppendLine(line);
        }
        var said = Run(shell.ToString());

        Assert.Equal(6, Regex.Count(said, "^cert:alice has the role read: api.roles.read\\[0\\] names cert:alice$", RegexOptions.Multiline));
        Assert.Contains("yes: membership.v1.QuorumService/GetQuorum needs the role read", said, StringComparison.Ordinal);
        await Eventually.HoldsAsync("alice has lost her role", Patience, () =>
            Execute("mbr auth whoami --socket https://10.98.0.1:7801 --tls-ca pki2/ca.pem --tls-cert pki2/alice.pem --tls-key pki2/alice.key").Code == Denied);
        await Eventually.HoldsAsync("the old authority's certificate is refused", Patience, () =>
            Execute("mbr auth whoami --socket https://10.98.0.1:7801 --tls-ca pki2/ca.pem --tls-cert pki/alice.pem --tls-key pki/alice.key").Error.StartsWith("MB1213", StringComparison.Ordinal));
        Assert.Contains("systemctl reload membershipd", all.ToString(), StringComparison.Ordinal);
    }

    private string Run(string script)
    {
        var (code, said, error) = Execute(script);
        Output.WriteLine(said + error);
        return code == 0 ? said : throw new InvalidOperationException($"exit code {code}:\n{script}\n{said}\n{error}");
    }

    // The manual's paths and address, as they are in this test's cluster; everything else is run as it stands.
    private (int Code, string Output, string Error) Execute(string script)
    {
        var here = script.Replace("/etc/membership", Cluster.Folder, StringComparison.Ordinal).Replace("10.0.0.1", "10.98.0.1", StringComparison.Ordinal);
        var daemon = DaemonProgram.Daemon;
        return Command.Execute("ip", TimeSpan.FromSeconds(90), "netns", "exec", Cluster.Network.Namespace(1), "bash", "-euo", "pipefail", "-c",
            $"cd '{Cluster.Folder}'; export MBR_DAEMON='{daemon}'; mbr() {{ '{DaemonProgram.Cli}' \"$@\"; }}\n{here}");
    }

    private static IEnumerable<string> GuideCommands() =>
        from Match block in ShellBlock().Matches(File.ReadAllText(Path.Combine(DaemonProgram.RepositoryRoot, "docs/operating/security.md")))
        from line in block.Groups["commands"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        select line;

    private void Certificates() => Run("mbr ca init --dir tls; mbr ca issue node --node --san 10.98.0.1 --dir tls; mbr ca issue client --dir tls");

    private int Established() => Command.Run("ip", "netns", "exec", Cluster.Network.Namespace(1), "ss", "-Htn", "state", "established", "( sport = :7801 )")
        .Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;

    private (int Code, string Output, string Error) WhoAmI(string user, string group, string groups = "--clear-groups") =>
        Command.Execute("setpriv", $"--reuid={user}", $"--regid={group}", groups, Path.Combine(Cluster.Folder, "mbr", "mbr"), "auth", "whoami", "--json", "--socket", Node(1).SocketPath);

    // Users without rights reach the socket, and the program too wherever the repository is.
    private static void Open(string folder)
    {
        Command.Run("cp", "-r", Path.GetDirectoryName(DaemonProgram.Cli)!, Path.Combine(folder, "mbr"));
        Command.Run("chmod", "-R", "o+rX", Path.Combine(folder, "mbr"));
        Command.Run("chmod", "o+x", folder);
    }

    [GeneratedRegex("^```sh\n(?<commands>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex ShellBlock();
}
