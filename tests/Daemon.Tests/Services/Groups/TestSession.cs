using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Proto = Membership.V1;

namespace Membership.Daemon.Tests.Services.Groups;

/// <summary>A client's session on a connection of its own.</summary>
internal sealed class TestSession : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<Proto.GroupRequest, Proto.GroupResponse> _call;
    private readonly Queue<Proto.GroupEvent> _events = new();

    private TestSession(GrpcChannel channel, AsyncDuplexStreamingCall<Proto.GroupRequest, Proto.GroupResponse> call) => (_channel, _call) = (channel, call);

    public Proto.GroupMember Self { get; private set; } = new();

    public Proto.SessionOpened Opened { get; private set; } = new();

    /// <summary>Gives credit for every event taken.</summary>
    public bool GivesCredit { get; init; } = true;

    public static async Task<TestSession> OpenAsync(TestDaemon daemon, uint window = 0, bool givesCredit = true, GrpcChannel? channel = null)
    {
        channel ??= daemon.Connect();
        var session = new TestSession(channel, daemon.Client(channel).Session()) { GivesCredit = givesCredit };
        await session.AskAsync(new Proto.GroupRequest { Open = new Proto.OpenSession { Name = "test", WindowBytes = window } });
        session.Opened = (await session.NextAsync()).Opened;
        session.Self = session.Opened.Self;
        return session;
    }

    public Task AskAsync(Proto.GroupRequest request) => _call.RequestStream.WriteAsync(request).WaitAsync(TestDaemons.Limit);

    public Task JoinAsync(string group, uint handle = 1, bool withoutOwn = false) =>
        AskAsync(new Proto.GroupRequest { Join = new Proto.JoinGroup { Handle = handle, Group = group, WithoutOwn = withoutOwn } });

    public Task LeaveAsync(uint handle = 1) => AskAsync(new Proto.GroupRequest { Leave = new Proto.LeaveGroup { Handle = handle } });

    public Task SendAsync(string text, uint handle = 1) => SendAsync([ByteString.CopyFromUtf8(text)], handle);

    public Task SendAsync(IEnumerable<ByteString> payloads, uint handle = 1, bool withoutReceipts = false, Proto.DeliveryLevel level = Proto.DeliveryLevel.Agreed) =>
        AskAsync(new Proto.GroupRequest { Send = new Proto.SendToGroup { Handle = handle, Payloads = { payloads }, WithoutReceipts = withoutReceipts, Level = level } });

    public Task CompleteAsync() => _call.RequestStream.CompleteAsync();

    /// <summary>The next event.</summary>
    public async Task<Proto.GroupEvent> NextAsync() => await NextOrEndAsync() ?? throw new InvalidOperationException("the stream ended");

    /// <summary>The next event, or null at the end.</summary>
    public async Task<Proto.GroupEvent?> NextOrEndAsync()
    {
        while (_events.Count == 0)
        {
            if (!await _call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestDaemons.Limit)) return null;
            foreach (var happened in _call.ResponseStream.Current.Events) _events.Enqueue(happened);
            var bytes = _call.ResponseStream.Current.Events.Where(e => e.Position > 0).Sum(e => e.CalculateSize());
            if (GivesCredit && bytes > 0) await AskAsync(new Proto.GroupRequest { Credit = new Proto.Credit { Bytes = (ulong)bytes } });
        }
        return _events.Dequeue();
    }

    /// <summary>The next event of a kind; others are skipped.</summary>
    public async Task<Proto.GroupEvent> NextAsync(Proto.GroupEvent.EventOneofCase kind)
    {
        while (true)
        {
            var happened = await NextAsync();
            if (happened.EventCase == kind) return happened;
        }
    }

    public async Task<Proto.GroupMembership> NextMembershipAsync() => (await NextAsync(Proto.GroupEvent.EventOneofCase.Membership)).Membership;

    public async Task<Proto.GroupMessage> NextMessageAsync() => (await NextAsync(Proto.GroupEvent.EventOneofCase.Message)).Message;

    public async Task<Proto.GroupRefused> NextRefusalAsync() => (await NextAsync(Proto.GroupEvent.EventOneofCase.Refused)).Refused;

    /// <summary>Waits for a membership of so many members.</summary>
    public async Task<Proto.GroupMembership> UntilMembersAsync(int count)
    {
        while (true)
        {
            var change = await NextMembershipAsync();
            if (change.Members.Count == count) return change;
        }
    }

    /// <summary>The next receipts, so many of them; other events are skipped.</summary>
    public async Task<List<Proto.Receipt>> ReceiptsAsync(int count)
    {
        List<Proto.Receipt> receipts = [];
        while (receipts.Count < count) receipts.AddRange((await NextAsync(Proto.GroupEvent.EventOneofCase.Receipts)).Receipts.Receipts);
        return receipts;
    }

    /// <summary>Ends as a process that dies does.</summary>
    public ValueTask DisposeAsync()
    {
        _call.Dispose();
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }
}
