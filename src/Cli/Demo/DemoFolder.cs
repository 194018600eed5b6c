using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Membership.Cli.Demo;

/// <summary>The one folder that holds everything a demo writes: configuration, key, state, sockets and logs. Gone at the end unless kept.</summary>
internal sealed class DemoFolder : IDisposable
{
    private const string Prefix = "membership-demo.";
    private const string KeepMark = "keep";
    private const int KeyBytes = 32;
    private const int RootBytesMax = 60; // leaves room for the socket's name within the 107 bytes of a Unix socket address
    private readonly bool _keep;

    private DemoFolder(string path, bool keep)
    {
        Path = path;
        _keep = keep;
    }

    /// <summary>The folder, mode 0700.</summary>
    public string Path { get; }

    /// <summary>The cluster's configuration.</summary>
    public string Configuration => System.IO.Path.Combine(Path, "membership.yaml");

    /// <summary>Makes the folder with configuration and a fresh key, and removes what demos that were killed have left.</summary>
    public static DemoFolder Create(int nodes, DemoAddresses addresses, bool keep)
    {
        var root = System.IO.Path.GetTempPath();
        if (root.Length > RootBytesMax) root = "/tmp/";
        RemoveLeftOvers(root);
        var path = System.IO.Path.Combine(root, $"{Prefix}{Environment.ProcessId}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}");
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var folder = new DemoFolder(path, keep);
        try
        {
            folder.Write(nodes, addresses);
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>The socket of a node's daemon.</summary>
    public string Socket(int node) => System.IO.Path.Combine(Path, $"n{node}.sock");

    /// <summary>The memory of a node across restarts.</summary>
    public string State(int node) => System.IO.Path.Combine(Path, $"n{node}.state");

    /// <summary>The log of a node's daemon, all its starts.</summary>
    public string Log(int node) => System.IO.Path.Combine(Path, $"n{node}.log");

    /// <summary>Removes the folder with all it holds, unless it is to be kept.</summary>
    public void Dispose()
    {
        if (!_keep && Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }

    private void Write(int nodes, DemoAddresses addresses)
    {
        if (_keep) File.WriteAllText(System.IO.Path.Combine(Path, KeepMark), "made by mbr demo --keep\n");
        WritePrivate(System.IO.Path.Combine(Path, "demo.key"), $"1 active {Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes))}\n");
        var yaml = new StringBuilder("cluster: demo\nkey_file: demo.key\ntiming: lan\nquorum: { mode: majority }\nnodes:\n");
        for (var node = 1; node <= nodes; node++)
        {
            var links = string.Join(", ", Enumerable.Range(0, DemoAddresses.Links).Select(link => $"\"{addresses.Of(node, link)}\""));
            yaml.Append(CultureInfo.InvariantCulture, $"  - {{ name: n{node}, id: {node}, links: [{links}] }}\n");
        }

        WritePrivate(Configuration, yaml.ToString());
    }

    private static void WritePrivate(string path, string text)
    {
        using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(Encoding.UTF8.GetBytes(text));
    }

    // A demo that was killed could not clean up. Its folder carries its process id; folders of other users cannot be removed and are left alone.
    private static void RemoveLeftOvers(string root)
    {
        foreach (var path in Directory.EnumerateDirectories(root, Prefix + "*"))
        {
            var process = System.IO.Path.GetFileName(path)[Prefix.Length..].Split('.')[0];
            if (Directory.Exists($"/proc/{process}") || File.Exists(System.IO.Path.Combine(path, KeepMark))) continue;
            try
            {
                Directory.Delete(path, recursive: true);
            }
            catch (UnauthorizedAccessException)
            {
                continue; // another user's
            }
            catch (DirectoryNotFoundException)
            {
                continue; // another demo was faster
            }
        }
    }
}
