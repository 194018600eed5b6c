using System.Text.Json;
using System.Text.RegularExpressions;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>Dashboard, alert rules and unit below packaging/ fit the daemon they come with.</summary>
public sealed partial class PackagingTests
{
    internal static readonly string Packaging = Path.Combine(Root(), "packaging");
    internal static readonly string Rules = Path.Combine(Packaging, "prometheus", "membership.rules.yml");

    [Fact]
    public async Task Every_metric_in_rules_and_dashboard_is_on_the_page()
    {
        await using var node = await OneNode.StartAsync(nodes: 2);
        node.Counters.Denied("membership.v1.AdminService/SetVotes", "read");
        node.Counters.CertificateLeft = static () => TimeSpan.FromDays(20);
        var (_, page) = await node.GetAsync("metrics");
        var there = PageName().Matches(page).Select(found => found.Groups["name"].Value).ToHashSet();

        var rules = AlertExpression().Matches(await File.ReadAllTextAsync(Rules)).Select(found => found.Value);
        var asked = rules.Concat(Expressions()).SelectMany(text => MetricName().Matches(text)).Select(found => found.Value).ToHashSet();

        Assert.True(asked.Count > 20, string.Join(' ', asked));
        Assert.Empty(asked.Except(there));
    }

    [Fact]
    public async Task Every_alert_has_its_line_in_the_documentation_and_the_other_way_round()
    {
        var rules = await File.ReadAllTextAsync(Rules);
        var alerts = AlertName().Matches(rules).Select(found => found.Groups["name"].Value).ToList();
        var documented = Anchor().Matches(await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "operating", "monitoring.md"))).Select(found => found.Groups["name"].Value);

        Assert.Equal(alerts, documented);
        Assert.All(alerts, alert => Assert.Contains($"docs/operating/monitoring.md#{alert.ToLowerInvariant()}\n", rules, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_alert_is_made_to_fire_by_the_test_of_the_rules()
    {
        var test = await File.ReadAllTextAsync(Path.Combine(Packaging, "prometheus", "membership.rules.test.yml"));

        foreach (Match alert in AlertName().Matches(await File.ReadAllTextAsync(Rules)))
            Assert.Matches($@"alertname: {alert.Groups["name"].Value}\n\s+exp_alerts:\n\s+- exp_labels", test);
    }

    [Fact]
    public async Task The_unit_lets_the_daemon_tell_when_it_is_ready_and_feed_the_watchdog()
    {
        var unit = await File.ReadAllLinesAsync(Path.Combine(Packaging, "systemd", "membershipd.service"));

        Assert.Contains("Type=notify", unit);
        Assert.Contains(unit, line => line.StartsWith("WatchdogSec=", StringComparison.Ordinal));
        Assert.Contains("LimitNICE=-15", unit);
        Assert.Contains(unit, line => line.StartsWith("ExecStart=", StringComparison.Ordinal) && line.Contains(CommandLine.DefaultConfig, StringComparison.Ordinal));
        Assert.Equal("/run/membership/api.sock", CommandLine.DefaultSocket);
        Assert.Contains("RuntimeDirectory=membership", unit);
        Assert.Contains("StateDirectory=membership", unit);
        Assert.Equal("/var/lib/membership", CommandLine.DefaultStateDirectory);
    }

    [Fact]
    public async Task The_unit_of_the_witness_starts_it_as_the_manual_does_and_is_hardened_like_that_of_the_daemon()
    {
        var unit = await File.ReadAllLinesAsync(Path.Combine(Packaging, "systemd", "membership-witness.service"));
        var daemon = await File.ReadAllLinesAsync(Path.Combine(Packaging, "systemd", "membershipd.service"));
        var manual = await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "operating", "two-node.md"));

        Assert.Contains("Type=notify", unit);
        var words = Assert.Single(unit, line => line.StartsWith("ExecStart=", StringComparison.Ordinal))["ExecStart=/usr/sbin/".Length..];
        Assert.Contains($"\n{words}\n", manual, StringComparison.Ordinal);
        Assert.Equal($"membershipd --witness --config {CommandLine.DefaultWitnessConfig} --state-dir {CommandLine.DefaultWitnessStateDirectory}", words);
        Assert.Contains($"StateDirectory={Path.GetFileName(CommandLine.DefaultWitnessStateDirectory)}", unit);
        Assert.Equal(Hardening(daemon), Hardening(unit));
        Assert.NotEmpty(Hardening(unit));
    }

    private static IEnumerable<string> Hardening(string[] unit) =>
        unit.Where(line => line.Split('=')[0] is "NoNewPrivileges" or "PrivateTmp" or "LockPersonality" || line.StartsWith("Protect", StringComparison.Ordinal) || line.StartsWith("Restrict", StringComparison.Ordinal));

    private static List<string> Expressions()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Packaging, "grafana", "membership.json")));
        List<string> found = [];
        Collect(dashboard.RootElement, found);
        return found;
    }

    private static void Collect(JsonElement element, List<string> found)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                {
                    if (property.Name is "expr" or "query" && property.Value.ValueKind == JsonValueKind.String) found.Add(property.Value.GetString()!);   // a string, as just seen
                    else Collect(property.Value, found);
                }
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray()) Collect(item, found);
                break;
        }
    }

    private static string Root()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Membership.sln"))) at = at.Parent ?? throw new InvalidOperationException("not below the repository");
        return at.FullName;
    }

    [GeneratedRegex("(?m)^(?<name>[a-z_]+)[{ ]")]
    private static partial Regex PageName();

    [GeneratedRegex(@"(?<![{,] ?)\b(membership|process|dotnet)_[a-z_]+(?=[{\[) ]|$)|\btarget_info\b")]
    private static partial Regex MetricName();

    [GeneratedRegex("(?m)(?<=^ +expr: ).*$")]
    private static partial Regex AlertExpression();

    [GeneratedRegex(@"(?m)^\s+- alert: (?<name>\w+)$")]
    private static partial Regex AlertName();

    [GeneratedRegex("<a id=\"(?<anchor>[a-z]+)\"></a>`(?<name>\\w+)`")]
    private static partial Regex Anchor();
}
