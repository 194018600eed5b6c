using System.Net;
using System.Text;

namespace Membership.Daemon.Tests.Telemetry;

/// <summary>The HTTP page over a real socket.</summary>
public sealed class PageTests
{
    [Fact]
    public async Task A_node_alone_of_three_is_live_and_ready_but_not_where_quorum_is_required()
    {
        await using var node = await OneNode.StartAsync(nodes: 3);

        Assert.Equal(HttpStatusCode.OK, (await node.GetAsync("livez")).Status);
        Assert.Equal(HttpStatusCode.OK, (await node.GetAsync("readyz")).Status);
        var (status, text) = await node.GetAsync("readyz?quorum=required");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.StartsWith("failed: not quorate: ", text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await node.GetAsync("readyz?quorum=maybe")).Status);
    }

    [Fact]
    public async Task A_frozen_ring_thread_fails_livez_and_the_metrics_go_on_with_what_is_known()
    {
        await using var node = await OneNode.StartAsync();
        await node.GetAsync("metrics");
        await node.Host.Freeze(TimeSpan.FromSeconds(4), CancellationToken.None);

        var live = await node.GetAsync("livez");
        var ready = await node.GetAsync("readyz");
        var (status, metrics) = await node.GetAsync("metrics");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, live.Status);
        Assert.Contains("ring thread has not answered", live.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.Status);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("\nmembership_ring_answering 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nmembership_members{state=\"member\"} 1\n", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Healthz_lists_each_check_by_name_only_when_asked()
    {
        await using var node = await OneNode.StartAsync(nodes: 2);

        var (status, verbose) = await node.GetAsync("healthz?verbose");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        var names = verbose.Split('\n', StringSplitOptions.RemoveEmptyEntries).SkipLast(1).Select(line => line.Split(' ', ':')[1]);
        Assert.Equal(["ring", "quorum", "links", "disk", "clock_stall", "keys_expiring", "clients_slow"], names);
        Assert.Contains("[-] links: not up: A to n2\n", verbose, StringComparison.Ordinal);
        Assert.Contains("[+] ring: ", verbose, StringComparison.Ordinal);
        Assert.Equal("unhealthy\n", (await node.GetAsync("healthz")).Text);
    }

    [Theory]
    [InlineData("GET", "/", HttpStatusCode.NotFound)]
    [InlineData("GET", "/metrics/", HttpStatusCode.NotFound)]
    [InlineData("GET", "/../etc/passwd", HttpStatusCode.NotFound)]
    [InlineData("POST", "/metrics", HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", "/livez", HttpStatusCode.MethodNotAllowed)]
    [InlineData("HEAD", "/metrics", HttpStatusCode.OK)]
    public async Task Only_four_paths_may_be_read(string method, string path, HttpStatusCode expected)
    {
        await using var node = await OneNode.StartAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));

        using var answer = await node.Page.SendAsync(request);

        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
    }

    [Theory]
    [InlineData("GET /{0} HTTP/1.1\r\nHost: x\r\n\r\n", 3000, "414")]
    [InlineData("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {0}\r\n\r\n", 9000, "431")]
    [InlineData("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: {0}\r\n\r\n", 18, "405")]
    [InlineData("\u0000\u0001{0}\r\n\r\n", 10, "400")]
    public async Task A_request_beyond_its_limits_is_refused_and_the_page_goes_on(string form, int length, string status)
    {
        await using var node = await OneNode.StartAsync();
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, node.Page.BaseAddress!.Port);   // set by StartAsync

        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(string.Format(System.Globalization.CultureInfo.InvariantCulture, form, new string('1', length))));
        var answer = new byte[12];
        await socket.GetStream().ReadExactlyAsync(answer).AsTask().WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal("HTTP/1.1 " + status, Encoding.ASCII.GetString(answer));
        Assert.Equal(HttpStatusCode.OK, (await node.GetAsync("livez")).Status);
    }

    [Fact]
    public async Task An_address_that_is_taken_ends_the_start_with_what_to_do()
    {
        await using var node = await OneNode.StartAsync();
        var taken = new IPEndPoint(IPAddress.Loopback, node.Page.BaseAddress!.Port);   // set by StartAsync

        var refused = await Assert.ThrowsAsync<StartException>(() => Daemon.Telemetry.DaemonTelemetry.StartAsync(
            node.Identity, node.Source, node.Host.Clock, taken, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance));

        Assert.Equal(ExitCode.InputOutput, refused.ExitCode);
        Assert.Contains("--page HOST:PORT", refused.Message, StringComparison.Ordinal);
    }
}
