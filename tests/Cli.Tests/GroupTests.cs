using Google.Protobuf;
using Grpc.Core;
using Membership.Cli.Daemons;
using Membership.Grpc.Errors;
using Membership.V1;

namespace Membership.Cli.Tests;

/// <summary>Groups: lists, the event lines byte for byte, and sending with receipts.</summary>
public sealed class GroupTests
{
    private const string Hello16 = "2cf24dba5fb0a30e"; // sha256("hello"), first 16 digits

    private static GroupMember Member(uint node, uint pid, uint session = 1) => new() { Node = node, Pid = pid, Session = session };

    private static Group Group(string name, params GroupMember[] members) => new() { Name = name, MemberCount = (uint)members.Length, Members = { members } };

    private static FakeDaemon Daemon(params Group[] groups)
    {
        var daemon = new FakeDaemon { Status = Clusters.Healthy(), StreamsEnd = true };
        daemon.GroupList.AddRange(groups);
        return daemon;
    }

    private static Task<MbrRun> Run(FakeDaemon daemon, params string[] arguments) => MbrRun.Of(FakeConnector.To(daemon), arguments);

    private static GroupEvent Membership(GroupReason reason, GroupMember[] members, GroupMember[]? joined = null, GroupMember[]? left = null) => new()
    {
        TNs = 1,
        Membership = new GroupMembership { Group = "chat", View = Clusters.View(1, [1, 2]), Reason = reason, Members = { members }, Joined = { joined ?? [] }, Left = { left ?? [] } },
    };

    private static GroupEvent Message(ulong seq, GroupMember sender, string payload = "", string ringId = "") => new()
    {
        TNs = 2,
        Message = new GroupMessage
        {
            Sender = sender,
            Counter = 3,
            Level = seq % 2 == 0 ? DeliveryLevel.Safe : DeliveryLevel.Agreed,
            Payload = ByteString.CopyFromUtf8(payload),
            RingId = ringId,
            Seq = seq,
            Index = 1,
            Size = 5,
            ViewNumber = 42,
        },
    };

    private static WatchGroupResponse Hashed(params GroupEvent[] events) => new()
    {
        Events = { events },
        Sha256 = { events.Where(static each => each.Message is not null).Select(static _ => ByteString.CopyFrom(Convert.FromHexString(Hello16))) },
    };

    [Fact]
    public async Task List_pages_through_all_groups()
    {
        var daemon = Daemon(Group("a", Member(1, 9)), Group("b", Member(1, 9), Member(2, 11)), Group("c", Member(9, 0, 4)));

        var run = await Run(daemon, "group", "list", "--members");
        var json = await Run(daemon, "group", "list", "--json");

        Assert.Equal("""
             GROUP  COUNT  MEMBERS
             a      1      n1/9
             b      2      n1/9 n2/11
             c      1      #9/session-4

            """, run.Output);
        Assert.Equal("""{"groups":[{"name":"a","member_count":1},{"name":"b","member_count":2},{"name":"c","member_count":1}]}""" + "\n", json.Output);
    }

    [Fact]
    public async Task Members_of_a_group_are_listed_and_an_empty_group_is_exit_4()
    {
        var daemon = Daemon(Group("chat", Member(1, 9), Member(2, 0, 7)));

        var run = await Run(daemon, "group", "members", "chat");
        var json = await Run(daemon, "group", "members", "chat", "--json");
        var empty = await Run(daemon, "group", "members", "nobody");

        Assert.Equal("""
             NODE  PID     SESSION
             n1    9       1
             n2    remote  7

            """, run.Output);
        Assert.Equal("""{"group":"chat","view":42,"members":[{"node":1,"pid":9,"session":1},{"node":2,"pid":0,"session":7}]}""" + "\n", json.Output);
        Assert.Equal(4, empty.ExitCode);
    }

    [Fact]
    public async Task Watch_writes_the_documented_lines()
    {
        var daemon = Daemon();
        daemon.GroupEvents.Add(Hashed(Membership(GroupReason.Unspecified, [Member(1, 9)])));
        daemon.GroupEvents.Add(Hashed(
            Membership(GroupReason.NodeUp, [Member(1, 9), Member(2, 11)], joined: [Member(2, 11)]), Message(7, Member(2, 11), ringId: "1.2a.9f3c51d0"), Message(8, Member(1, 9)),
            Membership(GroupReason.ProcessDown, [Member(1, 9)], left: [Member(2, 11)])));

        var run = await Run(daemon, "group", "watch", "chat", "--json");

        Assert.Equal($$"""
            {"event":"membership","group":"chat","view":42,"members":[{"node":1,"pid":9,"session":1}],"joined":[],"left":[],"reason":"current","t_ns":1}
            {"event":"membership","group":"chat","view":42,"members":[{"node":1,"pid":9,"session":1},{"node":2,"pid":11,"session":1}],"joined":[{"node":2,"pid":11,"session":1}],"left":[],"reason":"node-up","t_ns":1}
            {"event":"message","group":"chat","view":42,"seq":7,"sender":{"node":2,"pid":11,"session":1},"counter":3,"level":"agreed","size":5,"sha256":"{{Hello16}}","t_ns":2,"ring_id":"1.2a.9f3c51d0","index":1}
            {"event":"message","group":"chat","view":42,"seq":8,"sender":{"node":1,"pid":9,"session":1},"counter":3,"level":"safe","size":5,"sha256":"{{Hello16}}","t_ns":2,"ring_id":"1.2a.9f3c51d0","index":1}
            {"event":"membership","group":"chat","view":42,"members":[{"node":1,"pid":9,"session":1}],"joined":[],"left":[{"node":2,"pid":11,"session":1}],"reason":"process-down","t_ns":1}

            """, run.Output);
        Assert.Equal(1, run.ExitCode); // the daemon ended the stream
        Assert.Contains("MB1503", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_stops_at_the_count_and_shows_people_names()
    {
        var daemon = Daemon();
        daemon.GroupEvents.Add(Hashed(Membership(GroupReason.Join, [Member(1, 9), Member(2, 11)], joined: [Member(2, 11)]), Message(7, Member(2, 11)), Message(8, Member(1, 9))));

        var run = await Run(daemon, "group", "watch", "chat", "--count", "1");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal($"-- 42 join: members n1/9 n2/11, joined n2/11\n7.1  n2/11 #3  agreed  5 B  sha256 {Hello16}\n", run.Output);
    }

    [Fact]
    public async Task Payloads_are_hashed_here_where_they_come_along()
    {
        var daemon = Daemon();
        daemon.GroupEvents.Add(new WatchGroupResponse { Events = { Message(7, Member(2, 11), "hello") } });

        var run = await Run(daemon, "group", "watch", "chat", "--json", "--count", "1");

        Assert.Equal(Hello16, run.Json.GetProperty("sha256").GetString());
        Assert.Equal(5, run.Json.GetProperty("size").GetInt32());
    }

    [Fact]
    public async Task A_watch_that_is_cut_off_ends_with_a_cut_line_and_exit_1()
    {
        var daemon = Daemon();
        daemon.GroupEvents.Add(new WatchGroupResponse { Events = { new GroupEvent { Cut = new Cut { Resume = 17, Reason = "too slow" } } } });

        var run = await Run(daemon, "group", "watch", "chat", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal("""{"event":"cut","resume":17}""" + "\n", run.Output);
        Assert.Contains("MB1505", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_goes_on_behind_a_position_and_its_cut_line_names_what_to_pass()
    {
        var daemon = Daemon();
        daemon.GroupEvents.Add(new WatchGroupResponse { Boot = "9f3c51d000000001" });
        daemon.GroupEvents.Add(new WatchGroupResponse { Events = { new GroupEvent { Cut = new Cut { Resume = 17, Reason = "too slow" } } } });

        var run = await Run(daemon, "group", "watch", "chat", "--json", "--after", "12", "--boot", "9f3c51d000000001");

        Assert.Equal(new WatchGroupRequest { Group = "chat", AfterPosition = 12, Boot = "9f3c51d000000001" }, Assert.Single(daemon.Requests.OfType<WatchGroupRequest>()));
        Assert.Equal("""{"event":"cut","resume":17,"boot":"9f3c51d000000001"}""" + "\n", run.Output);
        Assert.Contains("--after 17 --boot 9f3c51d000000001", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_whose_notice_of_the_cut_did_not_come_goes_on_behind_its_own_last_event()
    {
        var daemon = Daemon();
        var told = Message(7, Member(2, 11), "hello");
        told.Position = 23;
        daemon.GroupEvents.Add(new WatchGroupResponse { Boot = "9f3c51d000000001", Events = { told } });
        daemon.WatchEnds = RpcErrors.Translate(RichError.Of(StatusCode.ResourceExhausted, "WATCH_CUT", "the client did not read.").ToException(), "socket", hasAnswered: true);

        var run = await Run(daemon, "group", "watch", "chat", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.EndsWith("""{"event":"cut","resume":23,"boot":"9f3c51d000000001"}""" + "\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("MB1505", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_daemon_that_cannot_go_on_behind_a_position_is_refused()
    {
        var daemon = Daemon();
        daemon.GroupEvents.Add(new WatchGroupResponse { Events = { Message(7, Member(2, 11), "hello") } });

        var run = await Run(daemon, "group", "watch", "chat", "--json", "--after", "12");

        Assert.Equal(("", 1), (run.Output, run.ExitCode));
        Assert.Contains("MB1303", run.Error, StringComparison.Ordinal);
    }

    /// <summary>A daemon that orders what a session sends.</summary>
    private static FakeDaemon Ordering(Func<ulong, Receipt>? receipt = null)
    {
        var daemon = Daemon();
        ulong counter = 0;
        receipt ??= static number => new Receipt { Counter = number, RingId = "1.2a.9f3c51d0", Seq = number + 6, Index = 2, TNs = 30 };
        daemon.OnGroupRequest = request => request.RequestCase switch
        {
            GroupRequest.RequestOneofCase.Open => new GroupResponse { Events = { new GroupEvent { Opened = new SessionOpened { Self = Member(2, 11) } } } },
            GroupRequest.RequestOneofCase.Join => new GroupResponse
            {
                Events =
                {
                    new GroupEvent { Membership = new GroupMembership { Handle = request.Join.Handle, Group = request.Join.Group } },
                    Message(3, Member(1, 9)), // of another member
                },
            },
            GroupRequest.RequestOneofCase.Send => new GroupResponse
            {
                Events = { new GroupEvent { Receipts = new SendReceipts { Receipts = { request.Send.Payloads.Select(_ => receipt(++counter)) } } } },
            },
            _ => null,
        };
        return daemon;
    }

    [Fact]
    public async Task Send_joins_sends_leaves_and_writes_a_line_for_each_receipt()
    {
        var daemon = Ordering();

        var run = await MbrRun.With(new MbrSetup(FakeConnector.To(daemon)) { Input = "hello"u8.ToArray() }, "group", "send", "chat", "--level", "safe", "--json");

        Assert.Equal("", run.Error);
        Assert.Equal($$"""{"event":"sent","counter":1,"ring_id":"1.2a.9f3c51d0","seq":7,"index":2,"size":5,"sha256":"{{Hello16}}","t_ns":30}""" + "\n", run.Output);
        var requests = daemon.Requests.Cast<GroupRequest>().ToList();
        Assert.Equal(
            [GroupRequest.RequestOneofCase.Open, GroupRequest.RequestOneofCase.Join, GroupRequest.RequestOneofCase.Send, GroupRequest.RequestOneofCase.Leave],
            requests.Select(static request => request.RequestCase));
        Assert.Equal("chat", requests[1].Join.Group);
        Assert.Equal(DeliveryLevel.Safe, requests[2].Send.Level);
    }

    [Fact]
    public async Task Send_makes_the_payloads_that_ring_send_makes()
    {
        var (group, ring) = (Ordering(), new FakeDaemon());
        string[] options = ["--count", "300", "--size", "40", "--seed", "7", "--json"];

        var sent = await Run(group, ["group", "send", "chat", .. options]);
        await Run(ring, ["ring", "send", .. options]);

        Assert.Equal(300, sent.JsonLines.Count);
        Assert.Equal(
            ring.Received.Select(static each => Convert.ToHexString(each.Payload)),
            group.Requests.Cast<GroupRequest>().Where(static request => request.Send is not null).SelectMany(static request => request.Send.Payloads).Select(static payload => Convert.ToHexString(payload.Span)));
    }

    [Fact]
    public async Task A_message_that_is_not_delivered_is_a_failed_line_and_exit_1()
    {
        var daemon = Ordering(static number => number == 2 ? new Receipt { Counter = 2, Failure = "left the ring" } : new Receipt { Counter = number });

        var run = await Run(daemon, "group", "send", "chat", "--count", "3", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(["sent", "failed", "sent"], run.JsonLines.Select(static line => line.GetProperty("event").GetString()));
        Assert.Equal("left the ring", run.JsonLines[1].GetProperty("reason").GetString());
        Assert.Contains("1 of 3 messages were not delivered: left the ring", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_join_is_exit_75_and_a_cut_session_exit_1()
    {
        var refusing = Daemon();
        refusing.OnGroupRequest = static request => request.Join is null ? null
            : new GroupResponse { Events = { new GroupEvent { Refused = new GroupRefused { Handle = 1, Reason = "GROUPS_LIMIT", Message = "too many groups." } } } };
        var cutting = Ordering();
        var order = cutting.OnGroupRequest;
        cutting.OnGroupRequest = request => request.Send is null ? order(request) : new GroupResponse { Events = { new GroupEvent { Cut = new Cut { Reason = "did not read" } } } };

        var refused = await Run(refusing, "group", "send", "chat", "--count", "1");
        var cut = await Run(cutting, "group", "send", "chat", "--count", "1");

        Assert.Equal(75, refused.ExitCode);
        Assert.Contains("MB1506 cannot join the group chat: too many groups (GROUPS_LIMIT)", refused.Error, StringComparison.Ordinal);
        Assert.Equal(1, cut.ExitCode);
        Assert.Contains("MB1505", cut.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\nb")]
    [InlineData("a\e[2J")]
    public async Task A_name_no_group_can_have_is_a_usage_error_and_cannot_drive_the_terminal(string name)
    {
        foreach (var verb in (string[])["members", "watch", "send"])
        {
            var run = await Run(Daemon(), "group", verb, name);

            Assert.Equal(64, run.ExitCode);
            Assert.Contains("MB1014", run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain(run.Error, static character => char.IsControl(character) && character != '\n');
        }
        Assert.Equal(64, (await Run(Daemon(), "group", "members", new string('ä', 128))).ExitCode);
    }

    [Fact]
    public async Task A_hostile_name_from_the_daemon_is_escaped()
    {
        var daemon = Daemon(Group("x\e[2J\u202e", Member(1, 9)));
        daemon.Status!.Nodes[0].Name = "n\e[2J";

        var run = await Run(daemon, "group", "list", "--members");

        Assert.Contains("x\\x1b[2J\\u202e", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', run.Output);
    }
}
