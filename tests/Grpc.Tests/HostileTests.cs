using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Grpc.Tests.Protos;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>Requests no gRPC library would send, on one connection with a call that must not notice.</summary>
public sealed class HostileTests
{
    private const int Seed = 20_240_611;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static TheoryData<string, byte[], StatusCode> BadBodies => new()
    {
        { "nothing at all", [], StatusCode.Internal },
        { "half a frame header", [0, 0, 0], StatusCode.Internal },
        { "a frame that ends early", [0, 0, 0, 0, 9, 1, 2, 3], StatusCode.Internal },
        { "a frame of 4 GiB", [0, 255, 255, 255, 255, 1], StatusCode.ResourceExhausted },
        { "a frame above the limit", Frame(0, new byte[(4 << 20) + 1]), StatusCode.ResourceExhausted },
        { "unknown flags", Frame(7, [1, 2]), StatusCode.Internal },
        { "compressed, with nothing said about how", Frame(1, [1, 2]), StatusCode.Internal },
        { "no protobuf", Frame(0, [255, 255, 255, 255, 255]), StatusCode.Internal },
        { "two requests where there is one", [.. Frame(0, []), .. Frame(0, [])], StatusCode.Internal },
    };

    [Theory]
    [MemberData(nameof(BadBodies))]
    public async Task Bad_bodies_get_their_status_and_the_calls_beside_them_live_on(string what, byte[] body, StatusCode expected)
    {
        await using var server = await ProbeServer.StartAsync();
        using var neighbour = await Neighbour.StartAsync(server);

        var status = await neighbour.SendAsync(body);

        Assert.True(status == expected, $"{what}: {status}, not {expected}");
        await neighbour.CheckAsync();
    }

    [Fact]
    public async Task Unknown_compression_is_unimplemented_and_says_what_is_known()
    {
        await using var server = await ProbeServer.StartAsync();
        using var neighbour = await Neighbour.StartAsync(server);

        using var response = await neighbour.RequestAsync(Frame(1, [1]), ("grpc-encoding", "brotli"));

        Assert.Equal(StatusCode.Unimplemented, Neighbour.StatusOf(response));
        Assert.Contains("gzip", string.Join(',', response.Headers.GetValues("grpc-accept-encoding")), StringComparison.Ordinal);
        await neighbour.CheckAsync();
    }

    [Theory]
    [InlineData(1, 20_000)]
    [InlineData(300, 100)]
    [InlineData(1, 200_000)]
    public async Task Metadata_above_the_limit_is_resource_exhausted(int fields, int bytes)
    {
        await using var server = await ProbeServer.StartAsync();
        using var neighbour = await Neighbour.StartAsync(server);

        using var response = await neighbour.RequestAsync(Frame(0, []), [.. Enumerable.Range(0, fields).Select(number => ($"x-{number}", new string('a', bytes)))]);

        Assert.Equal(StatusCode.ResourceExhausted, Neighbour.StatusOf(response));
        await neighbour.CheckAsync();
    }

    [Theory]
    [InlineData("grpc-timeout", "soon")]
    [InlineData("grpc-timeout", "-1S")]
    [InlineData("x-bytes-bin", "this is no base64!")]
    [InlineData("te", "gzip")]
    public async Task Headers_that_make_no_sense_do_no_harm(string name, string value)
    {
        await using var server = await ProbeServer.StartAsync();
        using var neighbour = await Neighbour.StartAsync(server);

        using var response = await neighbour.RequestAsync(Frame(0, []), (name, value));

        Assert.Equal(StatusCode.OK, Neighbour.StatusOf(response));
        await neighbour.CheckAsync();
    }

    [Fact]
    public async Task Requests_that_are_no_grpc_are_refused_as_http()
    {
        await using var server = await ProbeServer.StartAsync();
        using var neighbour = await Neighbour.StartAsync(server);

        using var response = await neighbour.RequestAsync([1, 2], "text/html");

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
        await neighbour.CheckAsync();
    }

    [Fact]
    public async Task Thousand_drawn_bodies_end_each_in_a_status_and_the_call_beside_them_lives_on()
    {
        await using var server = await ProbeServer.StartAsync();
        using var neighbour = await Neighbour.StartAsync(server);
        var random = new Random(Seed);

        for (int round = 0; round < 1000; round++)
        {
            byte[] body = Draw(random);
            var status = await neighbour.SendAsync(body);
            Assert.True(status is StatusCode.OK or StatusCode.Internal or StatusCode.ResourceExhausted,
                $"seed {Seed}, round {round}: {status} for {Convert.ToHexString(body)}");
        }
        await neighbour.CheckAsync();
    }

    // A good request, damaged: cut, a bit turned over, bytes put in, or nothing but noise.
    private static byte[] Draw(Random random)
    {
        // Nothing here may ask the probe to wait: field 8 would.
        byte[] body = Frame(0, [10, 3, 97, 98, 99, 24, 7]);
        switch (random.Next(4))
        {
            case 0: return body[..random.Next(body.Length)];
            case 1:
                body[random.Next(5)] ^= (byte)(1 << random.Next(8));
                return body;
            case 2: return [.. body, .. Frame(random.Next(3), new byte[random.Next(20)])];
            default:
                byte[] noise = new byte[random.Next(1, 6)];
                random.NextBytes(noise);
                return noise;
        }
    }

    private static byte[] Frame(int flags, byte[] message)
    {
        byte[] frame = new byte[5 + message.Length];
        frame[0] = (byte)flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    /// <summary>One HTTP/2 connection with a good conversation on it, and whatever is sent beside it.</summary>
    private sealed class Neighbour : IDisposable
    {
        private readonly ProbeServer _server;
        private readonly HttpMessageInvoker _http;
        private readonly GrpcChannel _channel;
        private readonly AsyncDuplexStreamingCall<Order, Reply> _talk;
        private int _said;

        private Neighbour(ProbeServer server)
        {
            _server = server;
            var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = false };
            _http = new HttpMessageInvoker(handler);
            _channel = GrpcChannel.ForAddress(server.TcpAddress, new GrpcChannelOptions { HttpHandler = handler });
            _talk = new Probe.ProbeClient(_channel).Talk();
        }

        public static async Task<Neighbour> StartAsync(ProbeServer server)
        {
            var neighbour = new Neighbour(server);
            await neighbour.CheckAsync();
            return neighbour;
        }

        /// <summary>The conversation goes on, on the connection it began on.</summary>
        public async Task CheckAsync()
        {
            var text = $"{++_said}";
            await _talk.RequestStream.WriteAsync(new Order { Text = text }).WaitAsync(Patience);
            Assert.True(await _talk.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
            Assert.Equal(text, _talk.ResponseStream.Current.Text);
        }

        public async Task<StatusCode> SendAsync(byte[] body)
        {
            using var response = await RequestAsync(body);
            return StatusOf(response);
        }

        public Task<HttpResponseMessage> RequestAsync(byte[] body, params (string Name, string Value)[] headers) => RequestAsync(body, "application/grpc", headers);

        public async Task<HttpResponseMessage> RequestAsync(byte[] body, string contentType, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_server.TcpAddress, "/membership.grpc.tests.Probe/Unary"))
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(body),
            };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
            foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
            using var limit = new CancellationTokenSource(Patience);
            var response = await _http.SendAsync(request, limit.Token);
            await response.Content.LoadIntoBufferAsync(limit.Token);
            return response;
        }

        public static StatusCode StatusOf(HttpResponseMessage response)
        {
            var text = response.TrailingHeaders.TryGetValues("grpc-status", out var after) ? after.Single() : response.Headers.GetValues("grpc-status").Single();
            return (StatusCode)int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        }

        public void Dispose()
        {
            _talk.Dispose();
            _channel.Dispose();
            _http.Dispose();
        }
    }
}
