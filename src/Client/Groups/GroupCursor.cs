using Membership.V1;

namespace Membership.Client;

/// <summary>How far a watch of a group has come: what to ask for after a reconnect, and what of the answer is new.</summary>
internal sealed class GroupCursor(string group, GroupWatchOptions options)
{
    private string _ringId = "";
    private bool _isFirst;      // nothing came on this stream
    private bool _hasBegun;     // something came on an earlier one, or this
    private Cut? _pendingCut;

    /// <summary>The last one given out, or the one the caller asked to continue after.</summary>
    public ulong Position { get; private set; } = options.AfterPosition;

    /// <summary>Of the daemon that counted; empty until known.</summary>
    public string Boot { get; private set; } = options.Boot;

    /// <summary>A new stream repeats what it had left out.</summary>
    public WatchGroupRequest NextRequest()
    {
        (_ringId, _isFirst) = ("", true);
        return new WatchGroupRequest { Group = group, Payloads = !options.HeadersOnly, AfterPosition = Position, Boot = Boot };
    }

    /// <summary>The updates that are new, completed; throws when there is a gap before them.</summary>
    public IReadOnlyList<GroupUpdate> Accept(WatchGroupResponse response)
    {
        CheckContinuity(response);
        var accepted = new List<GroupUpdate>(response.Events.Count);
        int hashes = 0;
        foreach (var groupEvent in response.Events)
        {
            if (groupEvent.EventCase is GroupEvent.EventOneofCase.Cut)
            {
                if (accepted.Count > 0) _pendingCut = groupEvent.Cut;
                else throw CutException(groupEvent.Cut);
                break;
            }
            bool hasHash = groupEvent.EventCase is GroupEvent.EventOneofCase.Message && hashes < response.Sha256.Count;
            if (UpdateOf(groupEvent, hasHash ? response.Sha256[hashes++].Memory : default) is not { } update) continue;
            bool isBeginning = !_hasBegun && Position == 0;
            _hasBegun = true;
            if (!isBeginning && update.StreamPosition <= Position) continue;
            Position = update.StreamPosition;
            accepted.Add(update);
        }
        _hasBegun = true;
        return accepted;
    }

    /// <summary>Throws when the updates just given out were the last before a cut.</summary>
    public void ThrowIfCut()
    {
        if (_pendingCut is { } cut) throw CutException(cut);
    }

    private GroupUpdate? UpdateOf(GroupEvent groupEvent, ReadOnlyMemory<byte> sha256)
    {
        switch (groupEvent.EventCase)
        {
            case GroupEvent.EventOneofCase.Membership:
                return GroupEvents.Changed(groupEvent, default);
            case GroupEvent.EventOneofCase.Message:
                if (groupEvent.Message.RingId.Length > 0) _ringId = groupEvent.Message.RingId;
                return GroupEvents.Delivered(groupEvent, _ringId, sha256);
            default:
                return null;   // of a newer daemon
        }
    }

    private void CheckContinuity(WatchGroupResponse response)
    {
        bool isFirst = _isFirst;
        _isFirst = false;
        if (isFirst && response.Boot.Length == 0 && (_hasBegun || Position > 0))
            throw new SubscriptionCutException(0, Position, $"The daemon is too old to resume the watch of group {group}: what came after position {Position} is lost to this reader.");
        if (isFirst && _hasBegun && Position == 0)
            throw new SubscriptionCutException(0, 0, $"The connection was lost before the daemon had counted an event: what came of group {group} meanwhile is lost to this reader.");
        if (response.Boot.Length == 0) return;
        if (Boot.Length > 0 && Boot != response.Boot)
            throw new SubscriptionCutException(0, Position, $"The daemon was restarted: what came after position {Position} of its former life is lost to this reader.");
        Boot = response.Boot;
    }

    private SubscriptionCutException CutException(Cut cut) =>
        new(cut.Resume, Position, $"The daemon cut this watch of group {group} off after position {Position}: {cut.Reason}");
}
