using System.Diagnostics;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Grpc.Tls;
using Membership.Grpc.Unix;
using Membership.Namespaces;
using Membership.V1;
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

    [RootFact("setpriv")]
    public async Task Where_no_role_is_granted_another_user_is_told_that_the_socket_is_closed_to_him()
    {
        await StartAsync(new ClusterPlan { Nodes = 1 });
        Open(Cluster.Folder);

        var closed = WhoAmI(Nobody, Nobody);

        Assert.Equal(Denied, closed.Code);
        Assert.Contains("\"code\":\"MB1203\"", closed.Error, StringComparison.Ordinal);
        Assert.Contains($"cannot reach the daemon at {Node(1).SocketPath}: permission denied", closed.Error, StringComparison.Ordinal);
        Assert.Contains($"uid {Nobody}", closed.Error, StringComparison.Ordinal);
    }

    [RootFact("openssl ss")]
    public async Task A_connection_whose_other_machine_is_cut_off_ends_within_five_seconds_and_an_idle_one_does_not()
    {
        Prepare(new ClusterPlan { Nodes = 1, Strangers = 1, MoreConfiguration = "api: { tcp: \"10.98.0.0/24:7801\" }\n" });
        Certificates("client");
        Node(1).Start();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);
        var tls = Path.Combine(Cluster.Folder, "tls");
        using var client = Process.Start(new ProcessStartInfo(
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
            var idleFrom = Stopwatch.GetTimestamp();
            await Eventually.HoldsAsync("eight idle seconds have passed", Patience, () => Established() == 1 ? Stopwatch.GetElapsedTime(idleFrom) >= TimeSpan.FromSeconds(8) : throw new InvalidOperationException("an idle connection was cut"));

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
    public async Task A_member_whose_machine_loses_its_cable_is_out_of_its_group_within_five_seconds()
    {
        await MemberIsCutOffAsync(isBusy: false, () => Cluster.Network.SetCables(VirtualNetwork.StrangerFirst, plugged: false));
    }

    [RootFact]
    public async Task A_member_whose_answers_are_dropped_while_messages_flow_is_out_of_its_group_within_five_seconds()
    {
        await MemberIsCutOffAsync(isBusy: true, () => Cluster.Network.Deafen(1, VirtualNetwork.StrangerFirst));
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

    [RootFact]
    public async Task A_node_is_stopped_from_another_machine_by_who_has_the_role_and_by_nobody_else()
    {
        Prepare(new ClusterPlan { Nodes = 3, MoreConfiguration = "api: { tcp: \"10.98.0.0/24:7801\", roles: { read: [\"cert:reader\"], operate: [\"cert:operator\"] } }\n" });
        Certificates("operator", "reader");
        foreach (var node in Cluster.Nodes) node.Start();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);

        var denied = Execute(Stop("n2", 2, "reader"));
        var other = Execute(Stop("n3", 2, "operator"));
        Assert.True(Node(2).IsRunning);
        var stopped = Execute(Stop("n2", 2, "operator"));
        Output.WriteLine($"{denied.Error}{other.Error}{stopped.Output}{stopped.Error}");

        Assert.Equal(Denied, denied.Code);
        Assert.Contains("\"code\":\"MB1301\"", denied.Error, StringComparison.Ordinal);
        Assert.Contains("AdminService/Leave needs the role operate; you are cert:reader with the role read", denied.Error, StringComparison.Ordinal);
        Assert.Equal(64, other.Code);
        Assert.Contains("is that of n2, not of n3", other.Error, StringComparison.Ordinal);
        Assert.True(stopped.Code == 0, stopped.Error);
        Assert.Contains("\"stopped\":true", stopped.Output, StringComparison.Ordinal);
        Assert.Equal(0, await Node(2).Daemon.ExitAsync(Patience));
        var view = await Cluster.OneViewAsync(Patience, NodesOf(1, 3));
        Assert.Equal([1U, 3U], view.Members.Select(member => member.Node));
        Assert.Contains("audit: cert:operator (operate) called membership.v1.AdminService/Leave", Node(2).Daemon.Log, StringComparison.Ordinal);
        Assert.Contains("audit: cert:reader (read) was refused membership.v1.AdminService/Leave", Node(2).Daemon.Log, StringComparison.Ordinal);
    }

    // A group of a member of another machine and a local one; the cut may come while the stream is idle or full.
    private async Task MemberIsCutOffAsync(bool isBusy, Action cut)
    {
        Prepare(new ClusterPlan { Nodes = 1, Strangers = 1, MoreConfiguration = "api: { tcp: \"10.98.0.0/24:7801\", roles: { app: [\"cert:client\"] } }\n" });
        Certificates("client");
        Node(1).Start();
        await Cluster.OneViewAsync(NamespaceCluster.FormationLimit);
        using var local = UnixChannel.Open(Node(1).SocketPath);
        using var remote = StrangerChannel("client");
        using var staying = await JoinAsync(local);
        using var leaving = await JoinAsync(remote);
        while ((await NextAsync(staying)).Membership?.Members.Count != 2)
        {
            // until both are in
        }
        using var stop = new CancellationTokenSource();
        var reading = ReadAsync(leaving);
        var sending = isBusy ? SendAsync(staying, stop.Token) : Task.CompletedTask;

        cut();
        var from = Stopwatch.GetTimestamp();
        GroupMembership? change = null;
        while (change is not { Left.Count: 1 }) change = (await NextAsync(staying)).Membership;
        var took = Stopwatch.GetElapsedTime(from);
        await stop.CancelAsync();
        await sending;

        Output.WriteLine($"out of the group after {took.TotalSeconds:0.00} s");
        Assert.Equal(GroupReason.ProcessDown, change.Reason);
        Assert.InRange(took.TotalSeconds, 1, 7);   // five, and what polling and a probe's pace add
        leaving.Dispose();
        await reading;
    }

    private static async Task<AsyncDuplexStreamingCall<GroupRequest, GroupResponse>> JoinAsync(GrpcChannel channel)
    {
        var call = new GroupService.GroupServiceClient(channel).Session();
        await call.RequestStream.WriteAsync(new GroupRequest { Open = new OpenSession { Name = "test", WindowBytes = uint.MaxValue } });   // the stream's own flow control is enough
        await call.RequestStream.WriteAsync(new GroupRequest { Join = new JoinGroup { Handle = 1, Group = "g" } });
        return call;
    }

    private static async Task<GroupEvent> NextAsync(AsyncDuplexStreamingCall<GroupRequest, GroupResponse> session)
    {
        while (await session.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience))
        {
            if (session.ResponseStream.Current.Events.LastOrDefault(happened => happened.Membership is not null) is { } change) return change;
        }
        throw new InvalidOperationException("the session ended");
    }

    private static async Task ReadAsync(AsyncDuplexStreamingCall<GroupRequest, GroupResponse> session)
    {
        try
        {
            while (await session.ResponseStream.MoveNext(CancellationToken.None))
            {
                // what comes is of no interest
            }
        }
        catch (RpcException)
        {
            // it was cut off, which is what the test is about
        }
    }

    private static async Task SendAsync(AsyncDuplexStreamingCall<GroupRequest, GroupResponse> session, CancellationToken cancellationToken)
    {
        var message = new GroupRequest { Send = new SendToGroup { Handle = 1, Payloads = { ByteString.CopyFrom(new byte[1000]) }, WithoutReceipts = true } };
        while (!cancellationToken.IsCancellationRequested)
        {
            await session.RequestStream.WriteAsync(message, CancellationToken.None);
            await Task.Delay(5, CancellationToken.None);
        }
    }

    // From the other machine: the socket lives in its namespace.
    private GrpcChannel StrangerChannel(string who)
    {
        var tls = Path.Combine(Cluster.Folder, "tls");
        var identity = TlsIdentity.Load(new TlsFiles { Authorities = $"{tls}/ca.pem", Certificate = $"{tls}/{who}.pem", Key = $"{tls}/{who}.key" });
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = Cluster.Network.OpenSocket(VirtualNetwork.StrangerFirst, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(VirtualNetwork.Address(1), 7801, cancellationToken);
                var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
                await stream.AuthenticateAsClientAsync(identity.ClientOptions(VirtualNetwork.Address(1).ToString()), cancellationToken);
                return stream;
            },
        };
        return GrpcChannel.ForAddress("https://10.98.0.1:7801", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    // Typed on node 1: what happens is seen by the own daemon, over mutual TLS as well.
    private static string Stop(string name, int at, string who) =>
        $"mbr node stop {name} --json --at https://10.98.0.{at}:7801 --socket https://10.98.0.1:7801 --tls-ca tls/ca.pem --tls-cert tls/{who}.pem --tls-key tls/{who}.key";

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

    private void Certificates(params string[] clients) => Run(
        $"mbr ca init --dir tls; mbr ca issue node --node --san {string.Join(' ', Cluster.Nodes.Select(node => VirtualNetwork.Address(node.Id)))} --dir tls\n"
        + string.Join('\n', clients.Select(client => $"mbr ca issue {client} --dir tls")));

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
