using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;
using Membership.Daemon.Witness.Server;
using Membership.Quorum;
using Membership.V1;
using static Membership.Daemon.Tests.Witness.WitnessServerHost;
using WitnessAnswer = Membership.V1.WitnessAnswer;

namespace Membership.Daemon.Tests.Witness;

/// <summary>The witness over real TCP and mutual TLS: whom it lets in, what it answers, and what it does with nonsense.</summary>
public sealed class WitnessServerTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_node_with_its_certificate_gets_the_votes_once_the_lease_of_an_unknown_past_is_over()
    {
        await using var witness = await StartAsync();
        using var session = Open(witness, "n1", Hello());

        var answers = new List<WitnessAnswer>();
        for (ulong number = 1; answers.Count == 0 || answers[^1].Verdict != WitnessVerdict.Granted; number++)
        {
            await session.RequestStream.WriteAsync(new WitnessRequest { Report = Report(number) });
            answers.Add(await NextAsync(session));
            await Task.Delay(100);
        }

        Assert.Equal(WitnessVerdict.Wait, answers[0].Verdict);
        Assert.Equal((1UL, 1000u), (answers[^1].Epoch, answers[^1].LeaseMs));
    }

    [Theory]
    [InlineData("web", "n2", "n1", StatusCode.PermissionDenied, "membership://web/node/n1")]
    [InlineData("other", "n1", "n1", StatusCode.PermissionDenied, "membership://web/node/n1")]
    public async Task A_certificate_of_another_node_or_cluster_is_refused_with_the_name_it_would_need(string cluster, string node, string claimed, StatusCode code, string named)
    {
        await using var witness = await StartAsync();
        using var session = witness.Connect(witness.Issue(cluster, node)).Session();
        await session.RequestStream.WriteAsync(new WitnessRequest { Hello = Hello(1, claimed) });

        var refusal = await EndAsync(session);

        Assert.Equal(code, refusal.StatusCode);
        Assert.Contains(named, refusal.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_fails_the_handshake()
    {
        await using var witness = await StartAsync();
        using var session = witness.Connect(witness.IssueByStranger("n1")).Session();

        var refusal = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await session.RequestStream.WriteAsync(new WitnessRequest { Hello = Hello() });
            while (await session.ResponseStream.MoveNext(CancellationToken.None))
            {
            }
        });

        Assert.True(refusal.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled, refusal.ToString()); // which one depends on what noticed the closed connection
    }

    [Fact]
    public async Task Without_a_certificate_or_with_an_older_TLS_nobody_gets_in()
    {
        await using var witness = await StartAsync();
        Assert.False(await GetsInAsync(witness, SslProtocols.Tls13));
        Assert.False(await GetsInAsync(witness, SslProtocols.Tls12));
    }

    [Fact]
    public async Task Only_clusters_of_the_configuration_are_served_and_only_by_their_algorithm()
    {
        await using var witness = await StartAsync(new WitnessedCluster("db", null), new WitnessedCluster(Cluster, WitnessAlgorithm.LastManStanding));
        using var session = Open(witness, "n1", Hello());

        var refusal = await EndAsync(session);

        Assert.Equal(StatusCode.PermissionDenied, refusal.StatusCode);
        Assert.Contains("lms", refusal.Status.Detail, StringComparison.Ordinal);
    }

    public static TheoryData<string, Action<WitnessHello>> BadHellos => new()
    {
        { "cluster", hello => hello.Cluster = "../etc" },
        { "cluster", hello => hello.Cluster = "\u001b[31mred" },
        { "node", hello => hello.NodeName = new string('n', 64) },
        { "node", hello => hello.Node = 0 },
        { "node", hello => hello.Node = 70000 },
        { "digest", hello => hello.ConfigDigest = "none" },
        { "method", hello => hello.Method = (WitnessMethod)9 },
        { "lease", hello => hello.LeaseMs = 0 },
        { "lease", hello => hello.LeaseMs = uint.MaxValue },
        { "settling", hello => hello.SettleMs = 0 },
        { "tie-breaker", hello => hello.Tie = (WitnessTie)9 },
        { "tie-breaker", hello => hello.TieNodes.Add(0) },
    };

    [Theory]
    [MemberData(nameof(BadHellos))]
    public async Task A_hello_that_makes_no_sense_is_refused_by_name(string word, Action<WitnessHello> spoil)
    {
        await using var witness = await StartAsync();
        var hello = Hello();
        spoil(hello);
        using var session = Open(witness, "n1", hello);

        var refusal = await EndAsync(session);

        Assert.Equal(StatusCode.InvalidArgument, refusal.StatusCode);
        Assert.Contains(word, refusal.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', refusal.Status.Detail);
    }

    public static TheoryData<Action<WitnessReport>> BadReports =>
    [
        report => report.Number = 0,
        report => report.Ring = null,
        report => report.Ring.Representative = 2,
        report => report.Members.Clear(),
        report => report.Members[0].Node = 0,
        report => report.Members[0].Boot = 5,
        report => report.Members.Insert(0, new WitnessMember { Node = 2, Boot = 2, Votes = 1 }),
        report => report.Members[0].Votes = ulong.MaxValue,
        report => report.Members.AddRange(Enumerable.Range(2, 300).Select(node => new WitnessMember { Node = (uint)node })),
        report => report.Heuristics = (Heuristics)77,
    ];

    [Theory]
    [MemberData(nameof(BadReports))]
    public async Task A_report_that_makes_no_sense_ends_its_session_and_no_other(Action<WitnessReport> spoil)
    {
        await using var witness = await StartAsync();
        using var good = Open(witness, "n2", Hello(2, "n2"));
        using var bad = Open(witness, "n1", Hello());
        var report = Report(1);
        spoil(report);
        await bad.RequestStream.WriteAsync(new WitnessRequest { Report = report });

        Assert.Equal(StatusCode.InvalidArgument, (await EndAsync(bad)).StatusCode);
        await good.RequestStream.WriteAsync(new WitnessRequest { Report = Report(1, 2) });
        Assert.Equal(1UL, (await NextAsync(good)).Number);
    }

    [Fact]
    public async Task A_session_that_does_not_begin_with_a_hello_or_says_it_twice_is_refused()
    {
        await using var witness = await StartAsync();
        using var first = witness.Connect(witness.Issue(Cluster, "n1")).Session();
        await first.RequestStream.WriteAsync(new WitnessRequest { Report = Report(1) });
        Assert.Equal(StatusCode.InvalidArgument, (await EndAsync(first)).StatusCode);

        using var second = Open(witness, "n1", Hello());
        await second.RequestStream.WriteAsync(new WitnessRequest { Hello = Hello() });
        Assert.Equal(StatusCode.InvalidArgument, (await EndAsync(second)).StatusCode);
    }

    [Fact]
    public async Task A_newer_session_of_a_node_ends_the_older_one()
    {
        await using var witness = await StartAsync();
        using var older = Open(witness, "n1", Hello());
        await older.RequestStream.WriteAsync(new WitnessRequest { Report = Report(1) });
        await NextAsync(older);

        using var newer = Open(witness, "n1", Hello());
        await newer.RequestStream.WriteAsync(new WitnessRequest { Report = Report(1) });
        await NextAsync(newer);

        Assert.Equal(StatusCode.Aborted, (await EndAsync(older)).StatusCode);
    }

    [Fact]
    public async Task A_node_that_floods_is_cut_off_and_the_others_are_answered()
    {
        await using var witness = await StartAsync();
        using var good = Open(witness, "n2", Hello(2, "n2"));
        using var flood = Open(witness, "n1", Hello());
        try
        {
            for (ulong number = 1; number <= 10_000; number++) await flood.RequestStream.WriteAsync(new WitnessRequest { Report = Report(number) });
        }
        catch (Exception over) when (over is RpcException or InvalidOperationException)
        {
            // Cut off while it was sending.
        }

        Assert.Equal(StatusCode.ResourceExhausted, (await EndAsync(flood)).StatusCode);
        await good.RequestStream.WriteAsync(new WitnessRequest { Report = Report(1, 2) });
        Assert.Equal(1UL, (await NextAsync(good)).Number);
    }

    [Fact]
    public async Task A_message_beyond_the_limit_is_refused()
    {
        await using var witness = await StartAsync();
        using var session = witness.Connect(witness.Issue(Cluster, "n1")).Session();
        var hello = Hello();
        hello.Cluster = new string('x', 1 << 20);
        try
        {
            await session.RequestStream.WriteAsync(new WitnessRequest { Hello = hello });
        }
        catch (RpcException)
        {
            // Refused before all of it was sent.
        }

        Assert.Equal(StatusCode.ResourceExhausted, (await EndAsync(session)).StatusCode);
    }

    [Fact]
    public async Task Bytes_that_are_no_TLS_disturb_nobody()
    {
        await using var witness = await StartAsync();
        var random = new Random(7);
        for (var i = 0; i < 20; i++)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync("127.0.0.1", witness.Port);
            var bytes = new byte[random.Next(1, 4000)];
            random.NextBytes(bytes);
            await socket.SendAsync(bytes);
        }

        using var session = Open(witness, "n1", Hello());
        await session.RequestStream.WriteAsync(new WitnessRequest { Report = Report(1) });
        Assert.Equal(1UL, (await NextAsync(session)).Number);
    }

    private static AsyncDuplexStreamingCall<WitnessRequest, WitnessAnswer> Open(WitnessServerHost witness, string node, WitnessHello hello)
    {
        var session = witness.Connect(witness.Issue(Cluster, node)).Session();
        session.RequestStream.WriteAsync(new WitnessRequest { Hello = hello }).Wait(Limit);
        return session;
    }

    private static async Task<WitnessAnswer> NextAsync(AsyncDuplexStreamingCall<WitnessRequest, WitnessAnswer> session)
    {
        using var limit = new CancellationTokenSource(Limit);
        Assert.True(await session.ResponseStream.MoveNext(limit.Token));
        return session.ResponseStream.Current;
    }

    /// <summary>Reads answers until the witness ends the session, and returns why.</summary>
    private static async Task<RpcException> EndAsync(AsyncDuplexStreamingCall<WitnessRequest, WitnessAnswer> session)
    {
        using var limit = new CancellationTokenSource(Limit);
        return await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await session.ResponseStream.MoveNext(limit.Token))
            {
            }
        });
    }

    private static async Task<bool> GetsInAsync(WitnessServerHost witness, SslProtocols protocol)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", witness.Port);
        await using var stream = new SslStream(new NetworkStream(socket));
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "127.0.0.1",
                    EnabledSslProtocols = protocol,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    RemoteCertificateValidationCallback = (_, server, _, _) => server is not null, // this test is about whom the server believes
                },
                limit.Token);
            return await stream.ReadAsync(new byte[1], limit.Token) > 0; // with TLS 1.3 the client learns of its refusal by reading
        }
        catch (Exception refused) when (refused is IOException or AuthenticationException)
        {
            return false;
        }
    }
}
