using Membership.V1;

namespace Membership.Namespaces;

/// <summary>One node: its daemon, when one runs, and what it leaves on disk.</summary>
public sealed class ClusterNode : IDisposable
{
    private readonly NamespaceCluster _cluster;
    private readonly List<DaemonProcess> _runs = [];
    private NodeApi? _api;
    private bool _isMounted;

    internal ClusterNode(NamespaceCluster cluster, int id)
    {
        _cluster = cluster;
        Id = id;
        ConfigurationPath = cluster.ConfigurationPath;
        Directory.CreateDirectory(StateDirectory);
        File.SetUnixFileMode(StateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (cluster.Plan.StateDirectorySize is { } size)
        {
            Command.Run("mount", "-t", "tmpfs", "-o", $"size={size},mode=0700", "tmpfs", StateDirectory);
            _isMounted = true;
        }
    }

    /// <summary>Node id, from 1.</summary>
    public int Id { get; }

    /// <summary>Configured name.</summary>
    public string Name => $"{_cluster.Plan.NodeNamePrefix}{Id}";

    /// <summary>The configuration file its daemon is started with: the cluster's, or a copy beside files of this node alone.</summary>
    public string ConfigurationPath { get; set; }

    /// <summary>Where the daemon keeps what must survive it.</summary>
    public string StateDirectory => Path.Combine(_cluster.Folder, $"state{Id}");

    /// <summary>Its Unix socket.</summary>
    public string SocketPath => Path.Combine(_cluster.Folder, $"n{Id}.sock");

    /// <summary>The run in progress or the last one.</summary>
    /// <exception cref="InvalidOperationException">It was never started.</exception>
    public DaemonProcess Daemon => _runs.Count > 0 ? _runs[^1] : throw new InvalidOperationException($"{Name} was never started");

    /// <summary>The last line its daemon wrote; empty when it wrote nothing.</summary>
    public string LastLine => _runs.Count > 0 && Daemon.Lines is [.., var last] ? last.Text : "";

    /// <summary>All runs, oldest first.</summary>
    public IReadOnlyList<DaemonProcess> Runs => _runs;

    /// <summary>True while its daemon runs.</summary>
    public bool IsRunning => _runs.Count > 0 && Daemon.IsRunning;

    /// <summary>Calls to the daemon; connects by itself.</summary>
    public NodeApi Api => _api ??= new NodeApi(SocketPath);

    /// <summary>Starts the daemon; does not wait for it.</summary>
    public void Start(params ReadOnlySpan<string> moreArguments)
    {
        if (IsRunning) throw new InvalidOperationException($"{Name} runs already");
        _runs.Add(DaemonProcess.Start(_cluster.Network.Namespace(Id),
            ["--config", ConfigurationPath, "--node", Name, "--state-dir", StateDirectory, "--socket", SocketPath, .. moreArguments]));
    }

    /// <summary>The regular view in force; null when the daemon does not answer or has none yet.</summary>
    public async Task<View?> ViewAsync() => (await Api.TryGetStatusAsync())?.View;

    /// <summary>Ends the daemon, releases the socket's connection and the state directory's mount.</summary>
    public void Dispose()
    {
        foreach (var run in _runs) run.Dispose();
        _api?.Dispose();
        _api = null;
        if (!_isMounted) return;
        Command.Run("umount", StateDirectory);
        _isMounted = false;
    }
}
