using System.Text;
using Google.Protobuf;
using Membership.Cpg;
using Membership.Daemon.Configuration;
using Membership.Daemon.Services;
using Membership.Daemon.Services.Groups;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Xunit;

namespace Membership.Testing.Tests;

/// <summary>What a node reports is told by a test cluster exactly as by a daemon.</summary>
public sealed class MappingTests
{
    private const ulong Revision = 7;
    private const long Time = 1_234_567_890;
    private static readonly RingId Ring = new(new NodeId(1), 42, 0x9f3c51d0_00000000);
    private static readonly ViewMember[] Members = [Member(1, 0xa1), Member(2, 0xfedcba9876543210)];
    private static readonly ClusterConfiguration Configuration = Read();

    public static TheoryData<Cpg.GroupReason> Reasons => [.. Enum.GetValues<Cpg.GroupReason>()];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_view_is_told_as_by_a_daemon(bool isTransitional)
    {
        var view = View(isTransitional);

        Assert.Equal(Json(new ProtoViews(Configuration).Of(Installed(view))), Json(Convert.View(view, Revision, new Instant(Time))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_verdict_is_told_as_by_a_daemon_with_the_names_of_the_nodes(bool hasView)
    {
        var view = hasView ? View(isTransitional: false) : null;
        QuorumMember[] members = [new(new NodeId(1), 1, true), new(new NodeId(2), 5, true), new(new NodeId(3), 1, false)];
        var state = new QuorumState(
            view, true, 6, 4, 7, "6 of 7 votes of nodes 1 and 2, need 4; node 3 is missing", members, 12, IsSynchronizing: hasView, WitnessGranted: false, ["wait-for-all"]);
        var views = new ProtoViews(Configuration);
        var shown = view is null ? null : Convert.View(view, 3, new Instant(5));

        var daemon = new ProtoQuorum(Configuration, views).Of(new Verdict(state, view is null ? null : new InstalledView(view, 3, 0, 5), Revision, Time));
        var here = Convert.Quorum(state, shown, Revision, new Instant(Time));

        Assert.Equal(Json(daemon), Json(here));
        Assert.Contains("nodes n1 and n2, need 4; node n3 is missing", here.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Reasons))]
    public void A_cause_of_a_change_is_told_as_by_a_daemon(Cpg.GroupReason reason)
    {
        Assert.Equal(ProtoGroups.Reason(reason), Convert.Reason(reason));
    }

    [Fact]
    public void A_cause_that_nobody_knows_fails_loudly()
    {
        var unknown = (Cpg.GroupReason)Enum.GetValues<Cpg.GroupReason>().Length;

        Assert.Throws<System.Diagnostics.UnreachableException>(() => Convert.Reason(unknown));
    }

    [Fact]
    public void A_member_of_a_group_is_told_as_by_a_daemon()
    {
        var member = new GroupMember(new NodeId(2), 4711, 9);

        Assert.Equal(Json(ProtoGroups.Member(member)), Json(Convert.Member(member)));
    }

    [Fact]
    public async Task The_view_of_a_verdict_is_the_one_that_was_installed()
    {
        await using var cluster = await TestCluster.StartAsync(2);

        var status = await cluster.Client(1).GetStatusAsync();
        var quorum = await cluster.Client(1).GetQuorumAsync();

        Assert.Equal(status.View, quorum.View);
        Assert.Equal(quorum.Reason, status.QuorumReason);
    }

    private static View View(bool isTransitional) => new(
        isTransitional ? new ViewId(Ring, new RingId(new NodeId(1), 38, 0)) : ViewId.Regular(Ring), Members, ViewId.Regular(new RingId(new NodeId(1), 38, 0)), [Members[1]], [Member(3, 1)]);

    private static InstalledView Installed(View view) => new(view, Revision, 0, Time);

    private static ViewMember Member(ushort node, ulong boot) => new(new NodeId(node), boot);

    private static string Json(IMessage message) => JsonFormatter.Default.Format(message);

    private static ClusterConfiguration Read()
    {
        const string text = """
            cluster: test
            key_file: k
            nodes:
              - { name: n1, id: 1, links: ["127.0.0.1:20001"] }
              - { name: n2, id: 2, links: ["127.0.0.2:20001"] }
              - { name: n3, id: 3, links: ["127.0.0.3:20001"] }
            """;
        var result = ConfigurationReader.Read("m.yaml", Encoding.UTF8.GetBytes(text), self: null);
        return result.Configuration ?? throw new InvalidOperationException(string.Join('\n', result.Mistakes));
    }
}
