using Google.Protobuf;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.Grpc.Messages;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>A member of one group that sends stamped messages and measures those that come; allocates nothing per message.</summary>
internal sealed class CpgClient : IAsyncDisposable
{
    /// <summary>The only group of the session.</summary>
    private const uint Handle = 1;

    private readonly BenchOptions _options;
    private readonly IDaemon _daemon;
    private readonly string _group;
    private readonly uint _run;
    private readonly IRawGroupSession _session;
    private readonly SendWindow _window;
    private readonly SendRequest _request;
    private readonly TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private uint _settled;    // of the response at hand: one above the last own message
    private long _nowNs;
    private GroupMember? _self;
    private ulong _view;
    private string? _cut;

    /// <summary>Opens a session.</summary>
    public CpgClient(BenchOptions options, IDaemon daemon, string group, uint run, MeasuredWindow measured, CancellationToken cancellationToken)
    {
        _options = options;
        _daemon = daemon;
        _group = group;
        _run = run;
        Tally = new BenchTally(daemon.Socket, run, 0, measured);
        _window = new SendWindow(options);
        _request = new SendRequest(Handle, options.Size, options.Level);
        _session = daemon.Groups.OpenRaw(Take, cancellationToken);
    }

    /// <summary>What was read.</summary>
    public BenchTally Tally { get; }

    /// <summary>Completes once this process is a member and the group has as many as were asked for.</summary>
    public Task GroupComplete => _complete.Task;

    /// <summary>Members after the last change.</summary>
    public int Members { get; private set; }

    /// <summary>Changes of the view under the group.</summary>
    public int ViewChanges { get; private set; }

    /// <summary>Messages sent so far.</summary>
    public uint Sent => _window.Sent;

    /// <summary>Messages that the daemon said would never be delivered.</summary>
    public long Failed { get; private set; }

    /// <summary>The first reason among them.</summary>
    public string? FirstFailure { get; private set; }

    /// <summary>Joins, then reads until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            // The stream's own flow control is enough for a client that reads all the time: no credit is waited for.
            await SendAsync(new GroupRequest { Open = new OpenSession { Name = "mbr bench cpg", WindowBytes = uint.MaxValue } }, cancellationToken);
            await SendAsync(new GroupRequest { Join = new JoinGroup { Handle = Handle, Group = _group } }, cancellationToken);
            while (_cut is null && await _session.ReadAsync(cancellationToken))
            {
                if (_settled > 0) _window.Settle(_settled);
                _settled = 0;
            }
            throw _cut is { } why ? new CliException(ErrorCatalogue.GroupCutOff, ("detail", why)) : new CliException(ErrorCatalogue.StreamEnded, ("socket", _daemon.Socket));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // the benchmark is over
        }
        catch (Exception failure)
        {
            _complete.TrySetException(failure);
            throw;
        }
    }

    /// <summary>Sends until <paramref name="stop"/> fires.</summary>
    public async Task LoadAsync(CancellationToken stop, CancellationToken cancellationToken)
    {
        _window.Begin();
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var count = await _window.NextAsync(stop);
                Fill(count);
                await _session.SendAsync(_request.Bytes, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // the measured time is over
        }
    }

    /// <summary>Waits until every message sent was delivered here or has failed.</summary>
    public Task DrainAsync(CancellationToken cancellationToken) => _window.AllSettledAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _session.DisposeAsync();
        _window.Dispose();
    }

    private Task SendAsync(GroupRequest request, CancellationToken cancellationToken) => _session.SendAsync(request.ToByteArray(), cancellationToken);

    private void Fill(int count)
    {
        var first = _window.Sent;
        _request.Begin(count);
        for (uint index = 0; index < count; index++)
            new BenchStamp(_run, 0, first + index, false, _window.StampNs(index)).Write(_request.Payload());
        _window.Take(count);
    }

    private void Take(ReadOnlySpan<byte> response)
    {
        _nowNs = BenchStamp.NowNs();
        var events = new WireReader(response);
        while (events.Next())
        {
            if (events.Field == GroupResponse.EventsFieldNumber) TakeEvent(events.Bytes);
        }
    }

    private void TakeEvent(ReadOnlySpan<byte> happened)
    {
        var fields = new WireReader(happened);
        while (fields.Next())
        {
            switch (fields.Field)
            {
                case GroupEvent.MessageFieldNumber: TakeMessage(fields.Bytes); break;
                case GroupEvent.OpenedFieldNumber: _self = SessionOpened.Parser.ParseFrom(fields.Bytes).Self; break;
                case GroupEvent.MembershipFieldNumber: TakeMembership(GroupMembership.Parser.ParseFrom(fields.Bytes)); break;
                case GroupEvent.ReceiptsFieldNumber: TakeReceipts(SendReceipts.Parser.ParseFrom(fields.Bytes)); break;
                case GroupEvent.RefusedFieldNumber:
                    throw new CliException(ErrorCatalogue.GroupRefused, ("group", _group), ("detail", GroupRefused.Parser.ParseFrom(fields.Bytes).Message));
                case GroupEvent.CutFieldNumber: _cut = Cut.Parser.ParseFrom(fields.Bytes).Reason; break;
            }
        }
    }

    private void TakeMessage(ReadOnlySpan<byte> message)
    {
        var fields = new WireReader(message);
        while (fields.Next())
        {
            if (fields.Field != GroupMessage.PayloadFieldNumber) continue;
            if (BenchStamp.TryRead(fields.Bytes, out var stamp))
                _settled = Math.Max(_settled, Tally.Take(stamp, fields.Bytes.Length, _nowNs));
            return;
        }
    }

    private void TakeMembership(GroupMembership change)
    {
        Members = change.Members.Count;
        if (_view != 0 && change.View is { } view && view.Number != _view) ViewChanges++;
        _view = change.View?.Number ?? _view;
        if (_self is not null && change.Members.Contains(_self) && Members >= _options.Members) _complete.TrySetResult();
    }

    // Only what failed has a receipt. It does not say which message it was: nobody waits for any of those under way.
    private void TakeReceipts(SendReceipts receipts)
    {
        foreach (var receipt in receipts.Receipts)
        {
            if (receipt.Failure.Length == 0) continue;
            Failed++;
            FirstFailure ??= receipt.Failure;
            _settled = Sent;
        }
    }
}
