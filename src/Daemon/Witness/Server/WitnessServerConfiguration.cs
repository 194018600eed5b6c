using System.Net;
using Membership.Daemon.Configuration;
using Membership.Grpc.Tls;
using Membership.Quorum;

namespace Membership.Daemon.Witness.Server;

/// <summary>A cluster that a witness serves.</summary>
/// <param name="Name">As in its configuration.</param>
/// <param name="Algorithm">The only one it may use; null: any.</param>
internal sealed record WitnessedCluster(string Name, WitnessAlgorithm? Algorithm);

/// <summary>witness.yaml as checked values.</summary>
/// <param name="Listen">Where nodes reach it.</param>
/// <param name="Tls">Who it is and whom it believes.</param>
/// <param name="Clusters">Those it serves; null: every cluster whose nodes have a certificate of the authorities.</param>
internal sealed record WitnessServerConfiguration(IPEndPoint Listen, TlsFiles Tls, IReadOnlyList<WitnessedCluster>? Clusters)
{
    /// <summary>Clusters that one witness serves at most.</summary>
    public const int ClustersMax = 256;

    private const string ListenRemedy = "Write for example listen: \"0.0.0.0:5403\".";
    private const string TlsRemedy = "Write tls: { ca: ca.pem, certificate: witness.pem, key: witness.key }.";
    private const string ClustersRemedy = "Write clusters: any, or a list like [{ name: web, algorithm: ffsplit }].";

    /// <summary>Null, or why a cluster is not served like this.</summary>
    public string? WhyNot(string cluster, WitnessAlgorithm algorithm)
    {
        if (Clusters is null) return null;
        if (Clusters.FirstOrDefault(each => each.Name == cluster) is not { } served) return $"cluster {cluster} is not among the clusters of this witness; add it to clusters in its configuration";
        return served.Algorithm is null || served.Algorithm == algorithm
            ? null
            : $"cluster {cluster} may use {WitnessCodec.Word(served.Algorithm.Value)} here, not {WitnessCodec.Word(algorithm)}; change one of the two configurations";
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="StartException">78: it cannot be read, or all mistakes in it.</exception>
    public static WitnessServerConfiguration ReadFile(string file)
    {
        byte[] bytes;
        try
        {
            using var stream = File.OpenRead(file);
            bytes = new byte[YamlReader.FileBytesMax + 1];
            bytes = bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StartException(ExitCode.Configuration, $"{file}: the configuration of the witness cannot be read: {failed.Message} Name another file with --config FILE.");
        }

        var mistakes = new MistakeList(file);
        var configuration = Read(file, bytes, mistakes);
        return configuration ?? throw new StartException(ExitCode.Configuration, string.Join('\n', mistakes.Mistakes));
    }

    /// <summary>Binds the bytes of a file; null after adding every mistake.</summary>
    public static WitnessServerConfiguration? Read(string file, ReadOnlySpan<byte> bytes, MistakeList mistakes)
    {
        var root = YamlReader.Read(bytes, mistakes);
        if (root is null) return null;
        if (root is not YamlMap map)
        {
            mistakes.Add(root, "", $"the file is {root.Kind}, not a map. It begins with a line like listen: \"0.0.0.0:5403\".");
            return null;
        }

        var binder = new MapBinder(map, "", mistakes, "listen", "tls", "clusters");
        var listen = ReadListen(binder);
        var tls = ReadTls(binder, Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/");
        var clusters = ReadClusters(binder, mistakes);
        return mistakes.IsEmpty ? new WitnessServerConfiguration(listen, tls, clusters) : null;
    }

    private static IPEndPoint ReadListen(MapBinder file)
    {
        file.Require("listen", ListenRemedy);
        if (file.Text("listen", "an address and port", ListenRemedy) is not { } text) return new IPEndPoint(IPAddress.None, 0);
        if (Units.TryEndPoint(text, out var address)) return address;
        file.Add("listen", $"is {Printable.Value(text)}, not an address and port. {ListenRemedy}");
        return address;
    }

    private static TlsFiles ReadTls(MapBinder file, string directory)
    {
        file.Require("tls", TlsRemedy);
        var map = file.Map("tls", TlsRemedy, "ca", "certificate", "key");
        string At(string key)
        {
            map?.Require(key, TlsRemedy);
            var text = map?.Text(key, "the name of a file", TlsRemedy);
            if (text is { Length: 0 }) map!.Add(key, $"is \"\", not the name of a file. {TlsRemedy}"); // it has just given the text
            return Path.GetFullPath(text ?? "", directory);
        }

        return new TlsFiles { Authorities = At("ca"), Certificate = At("certificate"), Key = At("key") };
    }

    private static List<WitnessedCluster>? ReadClusters(MapBinder file, MistakeList mistakes)
    {
        if (file.Require("clusters", ClustersRemedy) is not { } place) return null;
        if (place is YamlScalar { Text: "any" }) return null;
        var items = file.List("clusters", ClustersRemedy);
        if (place is YamlList && items.Count is 0 or > ClustersMax) file.Add("clusters", $"is a list of {items.Count}, not of 1 to {ClustersMax}. {ClustersRemedy}");
        var clusters = new List<WitnessedCluster>();
        for (var i = 0; i < items.Count; i++)
        {
            if (file.Map(items[i], $"clusters[{i}]", ClustersRemedy, "name", "algorithm") is not { } map) continue;
            map.Require("name", ClustersRemedy);
            var name = map.Text("name", ConfigurationReader.NameForm, ClustersRemedy) ?? "";
            if (map.Find("name") is YamlScalar && !ConfigurationReader.IsName(name)) map.Add("name", $"is {Printable.Value(name)}, not {ConfigurationReader.NameForm}. {ClustersRemedy}");
            else if (clusters.Exists(other => other.Name == name)) map.Add("name", $"is {name}, which is in the list twice. Delete one of them.");
            var algorithm = map.Choice("algorithm", null, ("any", (WitnessAlgorithm?)null), ("ffsplit", WitnessAlgorithm.FiftyFiftySplit), ("lms", WitnessAlgorithm.LastManStanding));
            clusters.Add(new WitnessedCluster(name, algorithm));
        }

        return clusters;
    }
}
