using System.Globalization;
using System.Security.Cryptography;
using Membership.Daemon.Configuration;
using Membership.Daemon.Services;
using Membership.Exploration.Hosts.Daemons;
using Membership.Exploration.Hosts.Steering;
using Membership.Explorer;
using Membership.Links;
using Proto = Membership.V1;

namespace Membership.Exploration.Hosts.Suites;

/// <summary>Keys are rotated by reloads that overlap, while another node leaves or dies and comes back.</summary>
/// <remarks>
/// Invariant: what the daemon says it runs with is what it runs with; a reload that says it applied the keys did.
/// Liveness: every reload ends; nodes whose keys overlap come together.
/// </remarks>
internal static class Reloads
{
    private const string KeyFileName = "k";

    /// <summary>Two reloads of one daemon overlap, the key file changes between them, and the other node leaves or dies the while.</summary>
    public static void DuringViewChange(IExploration exploration)
    {
        var folder = Directory.CreateTempSubdirectory("membership-exploration-");
        try
        {
            World.Run(exploration, world => DuringViewChangeAsync(world, folder.FullName));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task DuringViewChangeAsync(World world, string folder)
    {
        var ring = new MemoryRing(world);
        IReadOnlyList<ClusterKey> keys = [new(1, true, Key(1))];
        HostedNode[] nodes = [new(ring, 1, 2, keys: keys), new(ring, 2, 2, keys: keys)];
        await world.SettleAsync(() => nodes[0].Members == 2 && nodes[1].Members == 2, "one view of both");
        var running = Write(folder, "1 active " + Secret(1));
        var reload = new ConfigurationReload(nodes[0].Host, running, "n1", static _ => { });
        reload.KeysAre(keys);

        List<Proto.ReloadResponse> told = [];
        var leaving = world.Spawn("view change", async () =>
        {
            if (world.DrawBoolean()) nodes[1].Kill();
            else await nodes[1].StopAsync();
        });
        var first = Reload("first reload", "1 active " + Secret(1), "2 accepted " + Secret(2));
        var second = Reload("second reload", "1 accepted " + Secret(1), "2 active " + Secret(2));
        await first;
        await second;
        await leaving;
        world.Check(told.Count == 2 && told.TrueForAll(result => result.Applied && result.Mistakes.Count == 0), "a reload of files that are right is applied");

        await world.Time.Delay(TimeSpan.FromSeconds(2));   // long enough for a hello under the keys in force
        var look = await reload.RunAsync(apply: false, CancellationToken.None);
        world.Check(look.Mistakes.Count == 0, "the files are right");
        var runs = await nodes[0].Host.QueryAsync(_ => (int)nodes[0].Ports.LastKeyId, CancellationToken.None);
        var isSaid = look.Differences.All(difference => difference.What != "keys");
        world.Check(runs == reload.Keys.Single(key => key.Active).Id, $"a reload that says it applied the keys did: node 1 seals with key {runs}");
        world.Check(isSaid == (runs == ActiveOf(File.ReadAllText(Path.Combine(folder, KeyFileName)))), "a daemon knows which keys it runs with");
        var again = new HostedNode(ring, 2, 2, boot: 2, keys: [new ClusterKey(1, runs == 1, Key(1)), new ClusterKey(2, runs == 2, Key(2))]);
        await world.SettleAsync(() => nodes[0].Members == 2 && again.Members == 2, "both are together again under the new keys");
        await again.StopAsync();
        await nodes[0].StopAsync();

        Task Reload(string name, params string[] keys) => world.Spawn(name, async () =>
        {
            WriteKeys(folder, keys);
            told.Add(await reload.RunAsync(apply: true, CancellationToken.None));
        });
    }

    private static ClusterConfiguration Write(string folder, params string[] keys)
    {
        var file = Path.Combine(folder, "m.yaml");
        File.WriteAllText(file, $"cluster: web\nkey_file: {KeyFileName}\ntiming: lan\nnodes:\n  - {{ name: n1, id: 1, links: [\"127.0.0.1:5405\"] }}\n  - {{ name: n2, id: 2, links: [\"127.0.0.2:5405\"] }}\n");
        WriteKeys(folder, keys);
        return ConfigurationReader.ReadFile(file, "n1").Configuration ?? throw new InvalidOperationException("the configuration of the suite is wrong");
    }

    private static void WriteKeys(string folder, string[] keys)
    {
        var file = Path.Combine(folder, KeyFileName);
        File.WriteAllLines(file, keys);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static int ActiveOf(string text) => int.Parse(text.Split('\n').Single(line => line.Contains("active", StringComparison.Ordinal)).Split(' ')[0], CultureInfo.InvariantCulture);

    private static byte[] Key(byte of) => SHA256.HashData([of]);

    private static string Secret(byte of) => Convert.ToBase64String(Key(of));
}
