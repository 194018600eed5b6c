using System.Globalization;
using System.Threading.Channels;
using Grpc.Core;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>One client's session: a task that reads its requests, one that writes its events, and what they share.</summary>
/// <remarks>
/// What a client may occupy is limited on every side: messages without receipt (<see cref="ReceiptWindow.Capacity"/>), answers not read (<see cref="NoticesMax"/>), event bytes
/// not credited (its window). Events are kept once for all sessions in the <see cref="GroupLog"/>; a client that reads too slowly loses its session, not the daemon its memory.
/// </remarks>
internal sealed partial class GroupSession : IStallable
{
    /// <summary>A client that takes nothing for this long although something waits for it is cut off.</summary>
    public static readonly TimeSpan StallMax = TimeSpan.FromSeconds(4);

    /// <summary>Answers and refusals the client has not read; beyond it none of its requests is read.</summary>
    public const int NoticesMax = 256;

    /// <summary>Event bytes under way without credit unless the client says otherwise.</summary>
    public const long WindowBytesDefault = 4 * 1024 * 1024;

    private readonly Channel<Proto.GroupEvent> _notices = Channel.CreateBounded<Proto.GroupEvent>(new BoundedChannelOptions(NoticesMax)
    {
        SingleReader = true,
        SingleWriter = true,
        FullMode = BoundedChannelFullMode.Wait,
    });

    private readonly BatchSignal _signal = new();
    private readonly CutState _cut;
    private readonly GroupServices _services;
    private readonly ReceiptWindow _window;
    private readonly GroupReader _reader;
    private readonly GroupEncoder _encoder;
    private long _windowBytes = WindowBytesDefault;
    private long _sentBytes;
    private long _creditedBytes;
    private long _writingSince;
    private long _blockedSince;

    /// <param name="services">What all sessions share.</param>
    /// <param name="id">Unique at this boot.</param>
    /// <param name="pid">Of the client; 0 when it is remote.</param>
    public GroupSession(GroupServices services, uint id, uint pid)
    {
        (_services, Id, Pid) = (services, id, pid);
        _cut = new CutState(_signal);
        _window = new ReceiptWindow(services.Receipts, _signal);
        _reader = new GroupReader(services.Log, _signal) { OwnNode = services.Self.Value, OwnSession = id };
        _encoder = new GroupEncoder(services.Log, hashesOnly: false);
    }

    /// <summary>Unique at this boot.</summary>
    public uint Id { get; }

    /// <summary>Of the client; 0 when it is remote.</summary>
    public uint Pid { get; }

    /// <summary>What the program calls itself.</summary>
    public string Name { get; private set; } = "";

    /// <summary>Ends when the session is cut off.</summary>
    public Task Cut => _cut.Task;

    /// <summary>Why it was cut off; null while it is not.</summary>
    public string? CutReason => _cut.Reason;

    /// <summary>Position of the last event written.</summary>
    public long Position => _reader.Position;

    /// <summary>Where it is in the log.</summary>
    public IPacedReader Place => _reader;

    /// <inheritdoc/>
    public long UnreadBytes => _reader.UnreadBytes;

    /// <inheritdoc/>
    public void CheckStall()
    {
        var (writing, blocked) = (Volatile.Read(ref _writingSince), Volatile.Read(ref _blockedSince));
        if (IsTooLong(writing)) _cut.CutOff(ClientCuts.Stalled("did not read what was sent to it", StallMax));
        else if (IsTooLong(blocked)) _cut.CutOff(ClientCuts.Stalled(string.Create(CultureInfo.InvariantCulture, $"gave no credit for the {Volatile.Read(ref _windowBytes)} bytes of its window"), StallMax));
    }

    /// <summary>Writes answers, receipts and events until there is nothing more to come, or the session is cut off.</summary>
    public async Task WriteAllAsync(IServerStreamWriter<EncodedResponse> stream, CancellationToken cancellationToken)
    {
        var response = new EncodedResponse();
        while (true)
        {
            var armed = _signal.Arm();
            var isLast = Fill();
            if (!_encoder.IsEmpty)
            {
                response.Bytes = _encoder.Response;
                Volatile.Write(ref _sentBytes, _sentBytes + _encoder.EventBytes);
                Volatile.Write(ref _writingSince, _services.Time.GetTimestamp());
                await stream.WriteAsync(response, cancellationToken);
                Volatile.Write(ref _writingSince, 0);
                _encoder.Clear();
            }
            else if (!isLast) await armed.WaitAsync(cancellationToken);
            if (isLast) return;
        }
    }

    // True when the response is the last one.
    private bool Fill()
    {
        while (!_encoder.IsFull && _notices.Reader.TryRead(out var notice)) _encoder.Add(notice);
        if (!_encoder.IsFull) _encoder.AddReceipts(_window);
        if (CutReason is null && !_encoder.IsFull) AddEvents();
        if (CutReason is { } reason)
        {
            var (resume, missed) = GroupResumption.AfterCut(_services.Log, _reader);
            var told = string.Create(CultureInfo.InvariantCulture, $"{reason} The session is out of all its groups. {missed} {GroupResumption.SessionGoesOn}");
            _encoder.Add(new Proto.GroupEvent { TNs = _services.Now, Cut = new Proto.Cut { Resume = (ulong)resume, Reason = told } });
            return true;
        }
        return _encoder.IsEmpty && _window.HasEnded;
    }

    private void AddEvents()
    {
        var isBlocked = false;
        _reader.Refresh();
        while (!_encoder.IsFull && !isBlocked)
        {
            var found = _reader.Next(out var record, out var offset, out var subscription);
            if (found == ReadResult.Nothing) break;
            isBlocked = found == ReadResult.Event && IsWindowFull;
            if (isBlocked) _reader.PutBack(offset);
            else if (found == ReadResult.Overwritten || !_encoder.TryAdd(_reader, record, offset, subscription)) _cut.CutOff(ClientCuts.Overtaken);
            else if (record.Prefix.Position == subscription.Last) _reader.Remove(subscription);
            if (CutReason is not null) break;
        }
        if (!isBlocked) Volatile.Write(ref _blockedSince, 0);
        else if (_blockedSince == 0) Volatile.Write(ref _blockedSince, _services.Time.GetTimestamp());
    }

    private bool IsWindowFull => _sentBytes + _encoder.EventBytes - Volatile.Read(ref _creditedBytes) >= Volatile.Read(ref _windowBytes);

    private bool IsTooLong(long since) => since != 0 && _services.Time.GetElapsedTime(since) >= StallMax;
}
