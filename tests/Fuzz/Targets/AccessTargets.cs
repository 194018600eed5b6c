using System.Text;
using Google.Protobuf;
using Membership.Daemon.Access;
using Membership.Daemon.Witness;
using Membership.Daemon.Witness.Rule;
using Membership.Fuzz.Engine;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Fuzz.Targets;

/// <summary>Reasons that a parser tells as sentences.</summary>
internal static class Sentences
{
    /// <summary>Which of the known pieces a sentence has: a sentence that has none is one nobody counts, and whoever added it adds it here.</summary>
    public static int Find(string[] known, string sentence)
    {
        var index = Array.FindIndex(known, piece => sentence.Contains(piece, StringComparison.Ordinal));
        return index >= 0 ? index : throw new BrokenPromiseException($"a refusal that is in no list of reasons: {sentence}");
    }
}

/// <summary>A node's first words to a witness.</summary>
internal sealed class WitnessHelloTarget : Target
{
    private static readonly string[] Texts =
        ["the cluster is named", "the node is named", "is not 1 to 65535", "the digest is", "method ", "tie-breaker ", "the tie-breaker's nodes", "a lease of", "a settling time of"];

    public override string Name => "witness/hello";

    public override IReadOnlyList<string> Reasons { get; } =
        ["taken", "no message", "cluster", "node name", "node", "digest", "method", "tie-breaker", "tie-breaker's nodes", "lease", "settling time"];

    // Google.Protobuf's reader, and the sentence that says why.
    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 10_000;

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        yield return Of("good", _ => { });
        yield return Of("list", hello => hello.TieNodes.AddRange([1, 2, 3]));
        yield return Of("cluster", hello => hello.Cluster = "../etc");
        yield return Of("node-name", hello => hello.NodeName = "");
        yield return Of("node", hello => hello.Node = 70000);
        yield return Of("digest", hello => hello.ConfigDigest = "none");
        yield return Of("method", hello => hello.Method = (WitnessMethod)9);
        yield return Of("tie", hello => hello.Tie = (WitnessTie)9);
        yield return Of("tie-nodes", hello => hello.TieNodes.Add(0));
        yield return Of("lease", hello => hello.LeaseMs = 1);
        yield return Of("settle", hello => hello.SettleMs = 0);
        yield return new Seed("no-message", [0xff]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var bytes = input.ToArray();
        if (Protobuf.Read(WitnessHello.Parser, bytes) is not { } message) return 1;
        if (WitnessCodec.Read(message, out var why) is not null) return 0;
        return 2 + Sentences.Find(Texts, why);
    }

    internal static WitnessHello Hello() => new()
    {
        Cluster = "web",
        NodeName = "n1",
        Node = 1,
        Boot = 11,
        ConfigDigest = "0123456789abcdef",
        Method = WitnessMethod.Ffsplit,
        Tie = WitnessTie.Lowest,
        Votes = 1,
        LeaseMs = 5000,
        SettleMs = 1000,
    };

    private static Seed Of(string name, Action<WitnessHello> change)
    {
        var hello = Hello();
        change(hello);
        return new Seed(name, hello.ToByteArray());
    }
}

/// <summary>What a node tells a witness of its view.</summary>
internal sealed class WitnessReportTarget : Target
{
    private static readonly string[] Texts = ["report 0", "without a ring", "heuristics", "members are not 1", "not ascending", "itself", "representative"];

    private readonly SessionHello _from = WitnessCodec.Read(WitnessHelloTarget.Hello(), out _)!; // a good one

    public override string Name => "witness/report";

    public override IReadOnlyList<string> Reasons { get; } = ["taken", "no message", "number", "ring", "heuristics", "number of members", "members", "without itself", "representative"];

    public override long AllocationMax(int length) => (200L * length) + (16 * 1024);

    public override int RateMin => 10_000;

    public override int Weight => 4;

    public override IEnumerable<Seed> Seeds()
    {
        yield return Of("good", _ => { });
        yield return Of("number", report => report.Number = 0);
        yield return Of("ring", report => report.Ring = null);
        yield return Of("heuristics", report => report.Heuristics = (Heuristics)9);
        yield return Of("members", report => report.Members.Clear());
        yield return Of("order", report => report.Members.Add(report.Members[0].Clone()));
        yield return Of("without-itself", report => report.Members.RemoveAt(0));
        yield return Of("representative", report => report.Ring.Representative = 9);
        yield return new Seed("no-message", [0xff]);
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        var bytes = input.ToArray();
        if (Protobuf.Read(WitnessReport.Parser, bytes) is not { } message) return 1;
        if (WitnessCodec.Read(message, _from, out var why) is not null) return 0;
        return 2 + Sentences.Find(Texts, why);
    }

    private static Seed Of(string name, Action<WitnessReport> change)
    {
        var report = new WitnessReport { Number = 1, Ring = new WitnessRing { Representative = 1, Sequence = 4, Incarnation = 11 }, Heuristics = Heuristics.None, TotalVotes = 3, PrimaryEpoch = 2 };
        report.Members.Add(new WitnessMember { Node = 1, Boot = 11, Votes = 1 });
        report.Members.Add(new WitnessMember { Node = 2, Boot = 22, Votes = 1 });
        change(report);
        return new Seed(name, report.ToByteArray());
    }
}

/// <summary>Entries of <c>api.roles</c>, and who they let in: lines of roles, then names a certificate says it has.</summary>
internal sealed class RoleTarget : Target
{
    private static readonly LocalAccounts Accounts = new(["root:x:0:0:root:/:/bin/sh", "alice:x:1000:1000::/:/bin/sh"], ["root:x:0:", "ops:x:50:alice"]);

    public override string Name => "access/roles";

    public override IReadOnlyList<string> Reasons { get; } = ["no entry", "nobody", "a certificate has a role", "a process has a role"];

    public override bool IsText => true;

    public override int LengthMax => 400;

    // Lines and names are strings, each entry an object, each decision a sentence.
    public override long AllocationMax(int length) => (40L * length) + (32 * 1024);

    public override IReadOnlyList<byte[]> Words { get; } = [.. new[] { "user:", "group:", "cert:", "others", "*", "alice", "ops", "1000", "50", "\n", "spiffe://web/a", ":" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<Seed> Seeds()
    {
        yield return Yaml.Text("user", "user:alice\ngroup:ops\n");
        yield return Yaml.Text("certificate", "cert:spiffe://web/a\n");
        yield return Yaml.Text("any-certificate", "cert:*\n");
        yield return Yaml.Text("others", "others\n");
        yield return Yaml.Text("unknown-user", "user:nobody-here\n");
        yield return Yaml.Text("no-entry", "alice\n");
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        string[] lines = Encoding.UTF8.GetString(input).Split('\n');
        List<RoleGrant> grants = [.. lines.Select((line, i) => RoleGrant.Parse(RoleText.Grantable[i % RoleText.Grantable.Count], line, $"api.roles[{i}]")).OfType<RoleGrant>()];
        if (grants.Count == 0) return 0;
        var book = new RoleBook(grants, Accounts, 990);
        if (book.Decide(new Caller.Stranger()).Role != Role.Unspecified) throw new BrokenPromiseException("a stranger has a role");
        var process = book.Decide(new Caller.Process(new UnixPeer(1, 1000, 1000), [50]));
        var certificate = book.Decide(new Caller.Certificate([.. lines.Take(3), "spiffe://web/a"]));
        if (process.Role != Role.Unspecified && !grants.Exists(grant => grant.Role == process.Role && grant.Kind != Grantee.Certificate)) throw new BrokenPromiseException("a role that no entry grants");
        return process.Role != Role.Unspecified ? 3 : certificate.Role != Role.Unspecified ? 2 : 1;
    }
}
