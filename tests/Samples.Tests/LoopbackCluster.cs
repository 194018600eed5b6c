using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Membership.Client;
using Membership.Namespaces;
using Xunit;

namespace Membership.Samples.Tests;

/// <summary>Three real daemons on addresses of the loopback interface, without root: one cluster for all tests of a class.</summary>
public sealed class LoopbackCluster : IAsyncLifetime
{
    private const int NodeCount = 3;

    // Below the range the kernel takes for outgoing connections, so that none of those collides later.
    private const int PortMin = 20_000;
    private const int PortMax = 32_000;
    private static readonly TimeSpan FormsWithin = TimeSpan.FromSeconds(30);
    private readonly string _folder = Directory.CreateTempSubdirectory("samples-").FullName;
    private readonly DaemonProcess?[] _daemons = new DaemonProcess?[NodeCount + 1];

    public string Socket(int node) => Path.Combine(_folder, $"n{node}.sock");

    /// <summary>All that the daemons wrote, for messages of failed tests.</summary>
    public string Log => string.Join("\n", _daemons.Select((daemon, node) => daemon is null ? "" : $"--- n{node}\n{daemon.Log}"));

    public async Task InitializeAsync()
    {
        WriteConfiguration(FindPort());
        for (int node = 1; node <= NodeCount; node++) Start(node);
        await FormAsync();
    }

    public Task DisposeAsync()
    {
        foreach (var daemon in _daemons) daemon?.Dispose();
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    public void Start(int node)
    {
        string state = Path.Combine(_folder, $"state{node}");
        Directory.CreateDirectory(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _daemons[node] = DaemonProcess.Start(
            null, "--config", Path.Combine(_folder, "membership.yaml"), "--node", $"n{node}", "--state-dir", state, "--socket", Socket(node));
    }

    /// <summary>SIGKILL.</summary>
    public void Kill(int node)
    {
        _daemons[node]?.Dispose();
        _daemons[node] = null;
    }

    /// <summary>Waits until every node that runs is in one quorate view with all of them.</summary>
    public async Task FormAsync()
    {
        int running = _daemons.Count(daemon => daemon is not null);
        for (int node = 1; node <= NodeCount; node++)
        {
            if (_daemons[node] is null) continue;
            await using var client = MembershipClient.Create(new MembershipClientOptions { Endpoint = Socket(node), ConnectFor = FormsWithin });
            using var limit = new CancellationTokenSource(FormsWithin);
            await foreach (var view in client.WatchViewsAsync(cancellationToken: limit.Token))
            {
                if (!view.Transitional && view.Members.Count == running) break;
            }
            await foreach (var quorum in client.WatchQuorumAsync(cancellationToken: limit.Token))
            {
                if (quorum.Quorate && quorum.View?.Members.Count == running) break;
            }
        }
    }

    private void WriteConfiguration(int port)
    {
        WritePrivate("samples.key", $"1 active {Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}\n");
        var yaml = new StringBuilder("cluster: samples\nkey_file: samples.key\ntiming: lan\nquorum: { mode: majority }\nnodes:\n");
        for (int node = 1; node <= NodeCount; node++) yaml.Append($"  - {{ name: n{node}, id: {node}, links: [\"{Address(node)}:{port}\"] }}\n");
        WritePrivate("membership.yaml", yaml.ToString());
    }

    private void WritePrivate(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static string Address(int node) => $"127.0.2.{10 + node}";

    private static int FindPort()
    {
        while (true)
        {
            int port = RandomNumberGenerator.GetInt32(PortMin, PortMax);
            if (Enumerable.Range(1, NodeCount).All(node => IsFree(new IPEndPoint(IPAddress.Parse(Address(node)), port)))) return port;
        }
    }

    private static bool IsFree(IPEndPoint address)
    {
        using var ring = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var tripwire = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            ring.Bind(address);
            tripwire.Bind(address);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
