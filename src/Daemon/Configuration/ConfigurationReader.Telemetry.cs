using Membership.Cpg;

namespace Membership.Daemon.Configuration;

// The telemetry section.
internal sealed partial class ConfigurationReader
{
    /// <summary>Process groups that may be counted by name: each is a time series of its own.</summary>
    public const int GroupsShownMax = 64;

    private TelemetryConfiguration ReadTelemetry(MapBinder file)
    {
        const string Remedy = "Write for example telemetry: { otlp: \"http://127.0.0.1:4317\" }, or delete the line.";
        var fallback = TelemetryConfiguration.Default;
        if (file.Map("telemetry", Remedy, "otlp", "protocol", "interval", "traces", "groups") is not { } map) return fallback;
        return new TelemetryConfiguration(
            ReadCollector(map),
            map.Choice("protocol", fallback.Protocol, ("grpc", OtlpProtocol.Grpc), ("http", OtlpProtocol.Http)),
            map.Duration("interval", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), fallback.Interval),
            map.Flag("traces", fallback.Traces),
            ReadGroupsShown(map));
    }

    private static Uri? ReadCollector(MapBinder map)
    {
        const string Form = "the address of a collector";
        const string Remedy = "Write for example http://127.0.0.1:4317.";
        if (map.Text("otlp", Form, Remedy) is not { } text) return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.Query.Length > 0 || uri.Fragment.Length > 0)
            map.Add("otlp", $"is {Printable.Value(text)}, not {Form}. {Remedy}");
        else if (uri.UserInfo.Length > 0)
            map.Add("otlp", "has a user or password in it, which does not belong into this file. Let a collector on this machine add them.");
        else return uri;
        return null;
    }

    private List<string> ReadGroupsShown(MapBinder map)
    {
        const string Remedy = "Write the name of a process group.";
        List<string> names = [];
        var items = map.List("groups", "Write a list of names, like groups: [orders].");
        for (var i = 0; i < items.Count; i++)
        {
            var path = $"{map.PathOf("groups")}[{i}]";
            if (map.Scalar(items[i], path, "the name of a group", Remedy) is not { } name) continue;
            if (GroupName.Check(name) is { } wrong) _mistakes.Add(items[i], path, $"is {Printable.Value(name)}, which cannot be the name of a group: {wrong}. {Remedy}");
            else if (names.Contains(name)) _mistakes.Add(items[i], path, $"is {Printable.Value(name)}, which is there already. Delete one of them.");
            else names.Add(name);
        }
        if (names.Count > GroupsShownMax) map.Add("groups", $"has {names.Count} names, above {GroupsShownMax}. Name those that matter.");
        return names;
    }
}
