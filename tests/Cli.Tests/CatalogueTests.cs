using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Membership.Cli.Daemons;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>Errors that need unusual surroundings: the socket of somebody else, a full disk, a signal, a daemon that breaks the contract, a defect.</summary>
public sealed class CatalogueTests : IDisposable
{
    private readonly Scratch _scratch = new();

    private string Path => _scratch["api.sock"];

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_socket_of_another_kind_is_MB1207()
    {
        using var datagrams = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        datagrams.Bind(new UnixDomainSocketEndPoint(Path));

        var run = await MbrRun.Of(new GrpcDaemonConnector(static _ => null), "status", "--socket", Path);

        Fails(run, 3, "MB1207", $"cannot reach the daemon at {Path}: ");
    }

    [Fact]
    public async Task An_address_where_nobody_listens_or_somebody_hangs_up_is_MB1207()
    {
        await MbrRun.Of(new FakeConnector(), "ca", "init", "--dir", _scratch["pki"]);
        await MbrRun.Of(new FakeConnector(), "ca", "issue", "me", "--dir", _scratch["pki"]);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var hangingUp = HangUpAsync(listener);

        var broken = await Remote(port);
        listener.Stop();
        await hangingUp;
        var refused = await Remote(port);

        Fails(broken, 3, "MB1207", $"cannot reach the daemon at https://127.0.0.1:{port}/: ");
        Fails(refused, 3, "MB1207", "refused");
    }

    [RootFact("makes the socket of another user")]
    public async Task A_server_of_another_user_is_MB1209_unless_that_user_is_named()
    {
        using var listener = ListenAs(65534);
        var serving = GreetAsync(listener);

        var foreign = await MbrRun.Of(new GrpcDaemonConnector(static _ => null), "status", "--socket", Path);
        var named = await MbrRun.Of(new GrpcDaemonConnector(static name => name == "MBR_DAEMON_UID" ? "65534" : null), "status", "--socket", Path, "--timeout", "1s");
        listener.Dispose();
        await serving;

        Fails(foreign, 5, "MB1209", "User 65534");
        Assert.Contains("set MBR_DAEMON_UID to its user number", foreign.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("MB1209", named.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_with_a_state_nobody_knows_is_MB1307()
    {
        var status = Clusters.Healthy();
        status.State = (ClusterState)99;

        var run = await MbrRun.Of(FakeConnector.To(new FakeDaemon { Status = status }), "status");

        Fails(run, 65, "MB1307", "99 is unknown");
    }

    [Fact]
    public async Task A_command_that_a_signal_stops_is_MB1504()
    {
        using var signal = new CancellationTokenSource();
        await signal.CancelAsync();

        var run = await MbrRun.With(new MbrSetup(new SilentConnector()) { Cancellation = signal.Token }, "status");

        Fails(run, 1, "MB1504", "interrupted before the end");
    }

    [Fact]
    public async Task Output_that_cannot_be_written_is_MB1605()
    {
        using var error = new MemoryStream();
        var host = new CliHost(Stream.Null, new FullDisk(), error) { Connector = FakeConnector.To(new FakeDaemon { Status = Clusters.Healthy() }), Time = new StoppedClock() };

        var exit = await Mbr.RunAsync(["status"], host, CancellationToken.None);

        Fails(new MbrRun(exit, "", System.Text.Encoding.UTF8.GetString(error.ToArray())), 74, "MB1605", "no space left");
    }

    [Fact]
    public async Task A_defect_is_MB1999_and_shows_where_only_when_asked()
    {
        var run = await MbrRun.Of(new BrokenConnector(), "status");
        var debugged = await MbrRun.With(new MbrSetup(new BrokenConnector()) { Environment = { ["MBR_DEBUG"] = "1" } }, "status");

        Fails(run, 1, "MB1999", "unexpected FormatException: of the test");
        Assert.DoesNotContain(nameof(BrokenConnector), run.Error, StringComparison.Ordinal);
        Assert.Contains($"{nameof(BrokenConnector)}.{nameof(IDaemonConnector.ConnectAsync)}", debugged.Error, StringComparison.Ordinal);
    }

    private static void Fails(MbrRun run, int exitCode, string code, string text)
    {
        Assert.StartsWith($"{code} ", run.Error, StringComparison.Ordinal);
        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(text, run.Error, StringComparison.Ordinal);
        Assert.Contains("\n  fix: ", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    private Task<MbrRun> Remote(int port) => MbrRun.Of(
        new GrpcDaemonConnector(static _ => null), "status", "--socket", $"https://127.0.0.1:{port}",
        "--tls-ca", _scratch["pki/ca.pem"], "--tls-cert", _scratch["pki/me.pem"], "--tls-key", _scratch["pki/me.key"]);

    private static async Task HangUpAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptSocketAsync();
                await client.ReceiveAsync(new byte[1]);   // the first word of the handshake
                client.Close(0);
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // the test is over
        }
    }

    // A socket belongs to the user of the thread that listened; the change of user is that thread's alone and ends with it.
    private Socket ListenAs(int user)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path));
        long result = -1;
        var thread = new Thread(() =>
        {
            result = ChangeUser(RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 117 : 147, -1, user, -1);   // setresuid(2)
            socket.Listen();
        });
        thread.Start();
        thread.Join();
        Assert.Equal(0, result);
        return socket;
    }

    // As much of a daemon as is needed before the user is looked at: the frame that HTTP/2 begins with.
    private static async Task GreetAsync(Socket listener)
    {
        var clients = new List<Socket>();
        try
        {
            while (true)
            {
                clients.Add(await listener.AcceptAsync());
                await clients[^1].SendAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 });
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            clients.ForEach(static client => client.Dispose());
        }
    }

    [DllImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static extern long ChangeUser(long number, long real, long effective, long saved);

    private sealed class BrokenConnector : IDaemonConnector
    {
        public Task<IDaemon> ConnectAsync(string socket, CancellationToken cancellationToken) => throw new FormatException("of the test");
    }

    private sealed class FullDisk : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("no space left");

        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("no space left");
    }
}
