using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Membership.Grpc.Messages;
using Membership.Grpc.Server;
using Membership.V1;
using Xunit;

namespace Membership.Client.Tests;

/// <summary>A daemon of a later version tells more than this client knows: what is known is read, the rest is passed over, and streams go on.</summary>
public sealed class NewerDaemonTests : IAsyncLifetime, IDisposable
{
    private const GroupReason LaterReason = (GroupReason)99;
    private const DeliveryLevel LaterLevel = (DeliveryLevel)77;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly GetStatusResponse Status = new()
    {
        Cluster = "web",
        View = View(1),
        Nodes = { new NodeStatus { Node = 2, Name = "n2", State = NodeState.Member, Links = { new LinkStatus { Name = "A", State = LinkState.OneWay, RttUs = 180 } }, Hears = { 1, 3 } } },
        Counters = { ["tokens"] = 5 },
        Quorate = true,
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("newer-");
    private GrpcServer _server = null!;   // set before each test
    private MembershipClient _client = null!;

    public async Task InitializeAsync()
    {
        string socket = Path.Combine(_folder.FullName, "api.sock");
        _server = await GrpcServer.StartAsync(
            new GrpcServerSettings { SocketPath = socket, Options = new GrpcServerOptions() }, endpoints =>
            {
                endpoints.MapGrpcService(new NewerMembership());
                endpoints.MapGrpcService(new NewerGroups());
            }, CancellationToken.None);
        _client = MembershipClient.Create(new MembershipClientOptions { Endpoint = socket, ReconnectFor = TimeSpan.Zero });
    }

    public async Task DisposeAsync()
    {
        await _client.DisposeAsync();
        await _server.DisposeAsync();
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Unknown_fields_at_every_depth_leave_the_known_ones_as_they_were()
    {
        var read = GetStatusResponse.Parser.ParseFrom(Newer.Bytes(Status));

        Assert.Equal(Json(Status), Json(read));
        Assert.NotEqual(Status.CalculateSize(), read.CalculateSize());   // they were there
    }

    [Fact]
    public async Task Status_is_read()
    {
        Assert.Equal(Json(Status), Json(await _client.GetStatusAsync()));
    }

    [Fact]
    public async Task Watch_goes_on_from_one_view_to_the_next()
    {
        await using var views = _client.WatchViewsAsync().GetAsyncEnumerator();

        foreach (ulong revision in new ulong[] { 1, 2, 3 })
        {
            Assert.True(await views.MoveNextAsync().AsTask().WaitAsync(Patience));
            Assert.Equal(Json(View(revision)), Json(views.Current));
        }
    }

    [Fact]
    public async Task Group_goes_on_over_an_event_a_reason_and_a_level_of_a_later_version()
    {
        await using var group = await _client.JoinAsync("orders").WaitAsync(Patience);

        var seen = await GroupReading.ReadAsync(group, 2, Patience);

        var joined = Assert.IsType<GroupUpdate.MembersChanged>(seen[0]);
        Assert.Equal((LaterReason, group.Self), (joined.Reason, Assert.Single(joined.Joined)));
        var message = Assert.IsType<GroupUpdate.Message>(seen[1]);
        Assert.Equal((LaterLevel, "still here"), (message.Level, message.Text));
        await group.SendAsync("a"u8.ToArray()).WaitAsync(Patience);
    }

    private static View View(ulong revision) => new()
    {
        Id = $"1.{revision:x}.9f3c51d0",
        Number = revision,
        Revision = revision,
        Members = { new ViewMember { Node = 1, Name = "n1", Boot = "00000000000000a1" } },
    };

    private static string Json(IMessage message) => JsonFormatter.Default.Format(message);   // has what is known

    private sealed class NewerMembership : MembershipService.MembershipServiceBase
    {
        public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) => Task.FromResult(Newer.Of(Status));

        public override async Task WatchViews(WatchViewsRequest request, IServerStreamWriter<WatchViewsResponse> responseStream, ServerCallContext context)
        {
            await responseStream.WriteAsync(Newer.Of(new WatchViewsResponse { Boot = "00000000000000a1" }));
            for (ulong revision = 1; revision <= 3; revision++) await responseStream.WriteAsync(Newer.Of(new WatchViewsResponse { View = View(revision) }));
        }
    }

    private sealed class NewerGroups : GroupService.GroupServiceBase
    {
        private static readonly GroupMember Self = new() { Node = 1, Pid = 7, Session = 1 };

        public override async Task Session(IAsyncStreamReader<GroupRequest> requestStream, IServerStreamWriter<GroupResponse> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                foreach (var told in Answer(requestStream.Current)) await responseStream.WriteAsync(Newer.Of(new GroupResponse { Events = { told } }), context.CancellationToken);
            }
        }

        private static GroupEvent[] Answer(GroupRequest request) => request.RequestCase switch
        {
            GroupRequest.RequestOneofCase.Open => [new GroupEvent { Opened = new SessionOpened { Self = Self, Boot = "00000000000000a1" } }],
            GroupRequest.RequestOneofCase.Join =>
            [
                new GroupEvent { Position = 1, Membership = new GroupMembership { Handle = 1, Members = { Self }, Joined = { Self }, Reason = LaterReason } },
                new GroupEvent { TNs = 5 },   // its event is among what this client does not know
                new GroupEvent { Position = 2, Message = new GroupMessage { Handle = 1, Sender = Self, Level = LaterLevel, Payload = ByteString.CopyFromUtf8("still here") } },
            ],
            GroupRequest.RequestOneofCase.Send => [new GroupEvent { Receipts = new SendReceipts { Receipts = { new Receipt { Counter = 1 } } } }],
            GroupRequest.RequestOneofCase.Leave => [new GroupEvent { Position = 3, Membership = new GroupMembership { Handle = 1, Left = { Self }, Reason = GroupReason.Leave } }],
            _ => [],
        };
    }
}

/// <summary>Messages as a later version would send them: each one, at every depth, has fields of all wire types that nobody here knows.</summary>
internal static class Newer
{
    private const int FirstUnknownField = 1000;

    public static T Of<T>(T message)
        where T : IMessage, new()
    {
        var told = new T();
        told.MergeFrom(Bytes(message));   // and keeps what it does not know
        return told;
    }

    public static byte[] Bytes(IMessage message) => Bytes(message.ToByteArray(), message.Descriptor);

    private static byte[] Bytes(ReadOnlySpan<byte> message, MessageDescriptor descriptor)
    {
        using var bytes = new MemoryStream();
        using var output = new CodedOutputStream(bytes);
        var fields = new WireReader(message);
        for (int left = fields.Left; fields.Next(); left = fields.Left)
        {
            if (fields.IsBytes && descriptor.FindFieldByNumber(fields.Field) is { FieldType: FieldType.Message } inner)
            {
                output.WriteTag(fields.Field, WireFormat.WireType.LengthDelimited);
                output.WriteBytes(ByteString.CopyFrom(Bytes(fields.Bytes, inner.MessageType)));
                continue;
            }
            output.Flush();
            bytes.Write(message.Slice(message.Length - left, left - fields.Left));
        }
        output.WriteTag(FirstUnknownField, WireFormat.WireType.Varint);
        output.WriteUInt64(ulong.MaxValue);
        output.WriteTag(FirstUnknownField + 1, WireFormat.WireType.Fixed64);
        output.WriteFixed64(1);
        output.WriteTag(FirstUnknownField + 2, WireFormat.WireType.LengthDelimited);
        output.WriteString("of a later version");
        output.WriteTag(FirstUnknownField + 3, WireFormat.WireType.Fixed32);
        output.WriteFixed32(1);
        output.Flush();
        return bytes.ToArray();
    }
}
