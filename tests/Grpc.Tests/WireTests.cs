using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Membership.Grpc.Wire;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>Single rules of the wire format.</summary>
public sealed class WireTests
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, (byte[] bytes) => bytes);

    [Theory]
    [InlineData("1H", 3_600_000)]
    [InlineData("2M", 120_000)]
    [InlineData("3S", 3_000)]
    [InlineData("99999999m", 99_999_999)]
    [InlineData("5000u", 5)]
    [InlineData("7000000n", 7)]
    public void Timeouts_are_read_in_every_unit(string text, long milliseconds)
    {
        Assert.True(Timeouts.TryParse(text, out var timeout));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), timeout);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("5")]
    [InlineData("-1S")]
    [InlineData("1 S")]
    [InlineData("123456789S")]
    [InlineData("1x")]
    public void What_is_no_timeout_is_refused(string text) => Assert.False(Timeouts.TryParse(text, out _));

    [Fact]
    public void Written_timeouts_have_at_most_eight_digits_and_are_never_too_short()
    {
        TimeSpan[] timeouts = [TimeSpan.FromTicks(1), TimeSpan.FromMicroseconds(99_999_999.5), TimeSpan.FromHours(30), TimeSpan.FromDays(4000), TimeSpan.MaxValue];
        foreach (var timeout in timeouts)
        {
            string text = Timeouts.Format(timeout);

            Assert.True(text.Length <= 9, text);
            Assert.True(Timeouts.TryParse(text, out var read));
            if (timeout < TimeSpan.MaxValue) Assert.True(read >= timeout, $"{timeout} became {text}");
        }
        Assert.Equal("1n", Timeouts.Format(TimeSpan.FromSeconds(-1)));
    }

    [Theory]
    [InlineData("plain text")]
    [InlineData("100 % größer\r\n漢字 🚦 \t")]
    [InlineData("a literal %41 stays one")]
    [InlineData("")]
    public void Percent_encoding_is_ascii_and_comes_back(string text)
    {
        string encoded = PercentEncoding.Encode(text);

        Assert.DoesNotContain(encoded, character => character is < ' ' or > '~');
        Assert.Equal(text, PercentEncoding.Decode(encoded));
    }

    [Theory]
    [InlineData("50%", "50%")]
    [InlineData("%zz%4", "%zz%4")]
    [InlineData("%41%", "A%")]
    public void Percent_decoding_never_fails(string text, string expected) => Assert.Equal(expected, PercentEncoding.Decode(text));

    [Theory]
    [InlineData("AAH+/w==")]
    [InlineData("AAH+/w")]
    public void Binary_values_are_read_with_and_without_padding(string text)
    {
        var metadata = new Metadata();

        HeaderFields.AddReceived(metadata, "Some-Bin", text);

        Assert.Equal([0, 1, 254, 255], metadata.GetValueBytes("some-bin"));
    }

    [Fact]
    public void Joined_binary_values_are_separated_and_garbage_is_left_out()
    {
        var metadata = new Metadata();

        HeaderFields.AddReceived(metadata, "a-bin", "AA, !!, AQ");

        Assert.Equal([[0], [1]], metadata.GetAll("a-bin").Select(entry => entry.ValueBytes));
    }

    [Theory]
    [InlineData("UPPER", "value")]
    [InlineData("with space", "value")]
    [InlineData("text", "ünprintable")]
    [InlineData("text", "line\nbreak")]
    [InlineData("name-bin", "text")]
    public void Metadata_that_cannot_travel_is_refused_where_it_is_made(string key, string value)
    {
        if (key == "UPPER") Assert.Equal("upper", new Metadata.Entry(key, value).Key);
        else Assert.Throws<ArgumentException>(() => new Metadata.Entry(key, value));
    }

    [Fact]
    public async Task Messages_are_found_wherever_the_pipe_splits_them()
    {
        var pipe = new Pipe();
        using var writer = new FrameWriter<byte[]>(Bytes, pipe.Writer, null);
        for (int length = 0; length < 40; length++) writer.Write([.. Enumerable.Repeat((byte)length, length)], compress: length % 3 == 0);
        await pipe.Writer.CompleteAsync();
        byte[] all = (await ReadAllAsync(pipe.Reader)).ToArray();

        foreach (int chunk in (int[])[1, 2, 3, 7, 50, 10_000])
        {
            var split = new Pipe();
            var feeding = FeedAsync(split.Writer, all, chunk);
            using var reader = new FrameReader<byte[]>(split.Reader, Bytes, null, gzip: true);
            for (int length = 0; length < 40; length++) Assert.Equal(length, (await reader.ReadAsync(CancellationToken.None))!.Length);
            Assert.Null(await reader.ReadAsync(CancellationToken.None));
            await feeding;
        }
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 5, 1, 2 }, StatusCode.Internal)]      // ends inside a message
    [InlineData(new byte[] { 0, 0, 0 }, StatusCode.Internal)]                  // ends inside a header
    [InlineData(new byte[] { 9, 0, 0, 0, 0 }, StatusCode.Internal)]            // unknown flags
    [InlineData(new byte[] { 1, 0, 0, 0, 1, 7 }, StatusCode.Internal)]         // compressed with nothing agreed
    [InlineData(new byte[] { 0, 255, 255, 255, 255 }, StatusCode.ResourceExhausted)]
    [InlineData(new byte[] { 0, 0, 0, 4, 1 }, StatusCode.ResourceExhausted)]   // 1025 B, limit 1024
    public async Task Bad_frames_are_named(byte[] bytes, StatusCode expected)
    {
        var reader = new FrameReader<byte[]>(PipeReader.Create(new MemoryStream(bytes)), Bytes, 1024, gzip: false);

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await reader.ReadAsync(CancellationToken.None));

        Assert.Equal(expected, failure.StatusCode);
        reader.Dispose();
    }

    [Fact]
    public async Task Garbage_that_claims_to_be_gzip_is_named()
    {
        var reader = new FrameReader<byte[]>(PipeReader.Create(new MemoryStream([1, 0, 0, 0, 3, 1, 2, 3])), Bytes, 1024, gzip: true);

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await reader.ReadAsync(CancellationToken.None));

        Assert.Equal(StatusCode.Internal, failure.StatusCode);
        reader.Dispose();
    }

    [Fact]
    public void Serialiser_that_breaks_its_promise_breaks_the_stream_visibly()
    {
        var liar = new Marshaller<string>(
            (text, context) =>
            {
                context.SetPayloadLength(10);
                context.GetBufferWriter().Advance(3);
                context.Complete();
            },
            context => "");
        using var buffer = new PooledBuffer();
        using var writer = new FrameWriter<string>(liar, buffer, null);

        Assert.Throws<InvalidOperationException>(() => writer.Write("x", compress: false));

        Assert.True(writer.IsBroken);
    }

    [Theory]
    [InlineData(0x0, StatusCode.Unavailable)]
    [InlineData(0x2, StatusCode.Internal)]
    [InlineData(0x7, StatusCode.Unavailable)]
    [InlineData(0x8, StatusCode.Cancelled)]
    [InlineData(0xb, StatusCode.ResourceExhausted)]
    [InlineData(0xc, StatusCode.PermissionDenied)]
    public void Reset_codes_have_their_meaning(long code, StatusCode expected)
    {
        var wrapped = new HttpRequestException("failed", new IOException("reset", new HttpProtocolException(code, "reset", null)));

        Assert.Equal(expected, StatusMapping.FromException(wrapped).StatusCode);
    }

    [Fact]
    public void Failures_below_http_are_unavailable()
    {
        Assert.Equal(StatusCode.Unavailable, StatusMapping.FromException(new HttpRequestException("x", new SocketException(111))).StatusCode);
        Assert.Equal(StatusCode.Unavailable, StatusMapping.FromException(new IOException("ended")).StatusCode);
    }

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized, StatusCode.Unauthenticated)]
    [InlineData(HttpStatusCode.Forbidden, StatusCode.PermissionDenied)]
    [InlineData(HttpStatusCode.NotFound, StatusCode.Unimplemented)]
    [InlineData(HttpStatusCode.ServiceUnavailable, StatusCode.Unavailable)]
    [InlineData(HttpStatusCode.InternalServerError, StatusCode.Unknown)]
    public void Http_errors_without_a_status_have_their_meaning(HttpStatusCode code, StatusCode expected) =>
        Assert.Equal(expected, StatusMapping.FromHttpStatus(code).StatusCode);

    private static async Task FeedAsync(PipeWriter writer, byte[] bytes, int chunk)
    {
        for (int start = 0; start < bytes.Length; start += chunk)
        {
            await writer.WriteAsync(bytes.AsMemory(start, Math.Min(chunk, bytes.Length - start)));
        }
        await writer.CompleteAsync();
    }

    private static async Task<MemoryStream> ReadAllAsync(PipeReader reader)
    {
        var all = new MemoryStream();
        await reader.CopyToAsync(all);
        return all;
    }
}
