using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Membership.Grpc.Tls;
using Membership.V1;

namespace Membership.Namespaces;

/// <summary>Real daemons on addresses of the loopback interface, without root and without a namespace.</summary>
/// <remarks>Any number of them may run beside each other. What it made is gone after <see cref="DisposeAsync"/>.</remarks>
public sealed class LoopbackCluster : IAsyncDisposable
{
    // Below the range the kernel takes for outgoing connections, so that none of those collides later.
    private const int PortMin = 20_000;
    private const int PortMax = 32_000;
    private static readonly TimeSpan FormsWithin = TimeSpan.FromSeconds(30);

    private readonly int _nodes;
    private readonly int _port;
    private readonly DaemonProcess?[] _daemons;
    private readonly NodeApi?[] _apis;
    private IssuedCertificate? _authority;

    /// <summary>Writes the configuration; nothing runs yet.</summary>
    /// <param name="nodes">How many, 1 to 40; named n1, n2 and so on.</param>
    /// <param name="moreConfiguration">Further top-level lines; <c>{api}</c> becomes the network and port for <c>api.tcp</c>.</param>
    /// <param name="timing">Value of <c>timing</c>.</param>
    public LoopbackCluster(int nodes = 3, string moreConfiguration = "", string timing = "lan")
    {
        (_nodes, _port) = (nodes, FindPort(nodes));
        _daemons = new DaemonProcess?[nodes + 1];
        _apis = new NodeApi?[nodes + 1];
        Folder = Directory.CreateTempSubdirectory("membership-loopback-").FullName;
        WritePrivate("cluster.key", $"1 active {Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}\n");
        var yaml = new StringBuilder($"cluster: loopback\nkey_file: cluster.key\ntiming: {timing}\nquorum: {{ mode: majority }}\nnodes:\n");
        for (var node = 1; node <= nodes; node++) yaml.Append(CultureInfo.InvariantCulture, $"  - {{ name: n{node}, id: {node}, links: [\"{Address(node)}:{_port}\"] }}\n");
        WritePrivate("membership.yaml", yaml.Append(moreConfiguration.Replace("{api}", $"127.0.2.0/24:{ApiPort}", StringComparison.Ordinal)).ToString());
    }

    /// <summary>Configuration, key, certificates, sockets and state directories.</summary>
    public string Folder { get; }

    /// <summary>Port for clients of other machines.</summary>
    public int ApiPort => _port + 1;

    /// <summary>All that the daemons wrote, for messages of failed tests.</summary>
    public string Log => string.Join("\n", _daemons.Select((daemon, node) => daemon is null ? "" : $"--- n{node}\n{daemon.Log}"));

    /// <summary>Unix socket of a node.</summary>
    public string Socket(int node) => Path.Combine(Folder, $"n{node}.sock");

    /// <summary>Where a node serves clients of other machines, once the configuration says so.</summary>
    public Uri Remote(int node) => new($"https://{Address(node)}:{ApiPort}");

    /// <summary>The running daemon of a node.</summary>
    /// <exception cref="InvalidOperationException">It does not run.</exception>
    public DaemonProcess Daemon(int node) => _daemons[node] ?? throw new InvalidOperationException($"n{node} does not run");

    /// <summary>Makes an authority and one certificate for all nodes, where the daemons look for them.</summary>
    public void MakeCertificates()
    {
        _authority = CertificateAuthority.Create("loopback authority", DateTimeOffset.UtcNow, TimeSpan.FromDays(2));
        Directory.CreateDirectory(Path.Combine(Folder, "tls"));
        WritePrivate(Path.Combine("tls", "ca.pem"), _authority.CertificatePem);
        Issue("node", CertificateUse.Node, [.. Enumerable.Range(1, _nodes).Select(Address)]);
    }

    /// <summary>A certificate for a client of this name.</summary>
    public TlsFiles MakeClient(string name) => Issue(name, CertificateUse.Client, []);

    /// <summary>Starts a node; does not wait for it.</summary>
    public void Start(int node)
    {
        var state = Path.Combine(Folder, $"state{node}");
        Directory.CreateDirectory(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _daemons[node] = DaemonProcess.Start(
            null, "--config", Path.Combine(Folder, "membership.yaml"), "--node", $"n{node}", "--state-dir", state, "--socket", Socket(node));
    }

    /// <summary>Starts all nodes and waits until they are one quorate view.</summary>
    public async Task StartAllAsync()
    {
        for (var node = 1; node <= _nodes; node++) Start(node);
        await FormAsync();
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
        var running = Enumerable.Range(1, _nodes).Where(node => _daemons[node] is not null).ToArray();
        await Eventually.HoldsAsync($"one quorate view of {running.Length} nodes", FormsWithin, async () =>
        {
            var views = await Task.WhenAll(running.Select(StatusAsync));
            return views.All(status => status is { Quorate: true, View: { Transitional: false } view } && view.Id == views[0]?.View.Id && view.Members.Count == running.Length);
        }, () => Log);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        try
        {
            foreach (var api in _apis) api?.Dispose();
            for (var node = 1; node <= _nodes; node++) Kill(node);
        }
        finally
        {
            if (Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);   // disposing again does nothing
        }
        return ValueTask.CompletedTask;
    }

    private Task<GetStatusResponse?> StatusAsync(int node) => (_apis[node] ??= new NodeApi(Socket(node))).TryGetStatusAsync();

    private TlsFiles Issue(string name, CertificateUse use, IReadOnlyList<string> alternatives)
    {
        var authority = _authority ?? throw new InvalidOperationException($"call {nameof(MakeCertificates)} before");
        using var signer = X509Certificate2.CreateFromPem(authority.CertificatePem, authority.KeyPem);
        var issued = CertificateAuthority.Issue(signer, use, name, alternatives, DateTimeOffset.UtcNow, TimeSpan.FromDays(1));
        var files = new TlsFiles { Authorities = Path.Combine(Folder, "tls", "ca.pem"), Certificate = Path.Combine(Folder, "tls", $"{name}.pem"), Key = Path.Combine(Folder, "tls", $"{name}.key") };
        WritePrivate(files.Certificate, issued.CertificatePem);
        WritePrivate(files.Key, issued.KeyPem);
        return files;
    }

    private void WritePrivate(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static string Address(int node) => $"127.0.2.{10 + node}";

    private static int FindPort(int nodes)
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(PortMin, PortMax);
            if (Enumerable.Range(1, nodes).All(node => IsFree(node, port) && IsFree(node, port + 1))) return port;
        }
    }

    private static bool IsFree(int node, int port)
    {
        var address = new IPEndPoint(IPAddress.Parse(Address(node)), port);
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
