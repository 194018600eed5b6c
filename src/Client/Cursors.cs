using Membership.V1;

namespace Membership.Client;

/// <summary>How far a watch of views or quorum has come: what to ask for after a reconnect, and what of the answer is new.</summary>
internal sealed class RevisionCursor(ulong afterRevision)
{
    /// <summary>The last one given out, or the one the caller asked to continue after.</summary>
    public ulong Revision { get; private set; } = afterRevision;

    /// <summary>Of the daemon that counted; empty until known.</summary>
    public string Boot { get; private set; } = "";

    /// <summary>False: the record was given out before, or the response has none.</summary>
    /// <param name="boot">Of the response; empty where it says nothing.</param>
    /// <param name="revision">Of the record in the response; 0: there is none.</param>
    public bool IsNew(string boot, ulong revision)
    {
        if (boot.Length > 0 && boot != Boot)
        {
            // Another daemon life counts from one again.
            if (Boot.Length > 0) Revision = 0;
            Boot = boot;
        }
        if (revision <= Revision) return false;
        Revision = revision;
        return true;
    }
}

/// <summary>How far a subscription has come, and the fields a daemon sends only when they change.</summary>
internal sealed class RingCursor(SubscribeOptions options)
{
    private readonly Dictionary<uint, string> _boots = [];
    private string _ringId = "";

    /// <summary>The last one given out, or the one the caller asked to continue after.</summary>
    public ulong Position { get; private set; } = options.AfterPosition;

    public string Boot { get; private set; } = options.Boot;

    /// <summary>A new stream repeats what it had left out.</summary>
    public SubscribeRequest NextRequest()
    {
        _ringId = "";
        _boots.Clear();
        return new SubscribeRequest
        {
            AfterPosition = Position,
            Boot = Boot,
            ViewsOnly = options.ViewsOnly,
            HeadersOnly = options.HeadersOnly,
        };
    }

    /// <summary>The events that are new, completed; throws when there is a gap before them.</summary>
    public IReadOnlyList<RingEvent> Accept(SubscribeResponse response)
    {
        CheckBoot(response);
        var accepted = new List<RingEvent>(response.Events.Count);
        foreach (var ringEvent in response.Events)
        {
            Complete(ringEvent);
            if (ringEvent.EventCase is RingEvent.EventOneofCase.Cut)
            {
                if (accepted.Count > 0) _pendingCut = ringEvent.Cut;
                else throw CutException(ringEvent.Cut);
                break;
            }
            if (ringEvent.Position <= Position) continue;
            CheckGap(ringEvent);
            Position = ringEvent.Position;
            accepted.Add(ringEvent);
        }
        return accepted;
    }

    /// <summary>Throws when the events just given out were the last before a cut.</summary>
    public void ThrowIfCut()
    {
        if (_pendingCut is { } cut) throw CutException(cut);
    }

    private Cut? _pendingCut;

    private void CheckBoot(SubscribeResponse response)
    {
        if (response.Boot.Length == 0 || response.Boot == Boot) return;
        bool continues = Boot.Length > 0 && Position > 0;
        bool saysSo = response.Events.Count > 0 && response.Events[0].EventCase is RingEvent.EventOneofCase.Cut;
        if (continues && !saysSo)
        {
            throw new SubscriptionCutException(0, Position, $"The daemon was restarted: what came after position {Position} of its former life is lost to this reader.");
        }
        Boot = response.Boot;
    }

    private void CheckGap(RingEvent ringEvent)
    {
        bool follows = Position == 0 || options.ViewsOnly || ringEvent.Position == Position + 1;
        if (follows) return;
        throw new SubscriptionCutException(
            ringEvent.Position - 1, Position, $"The daemon continued at position {ringEvent.Position} after {Position}: what lies between is lost to this reader.");
    }

    private void Complete(RingEvent ringEvent)
    {
        if (ringEvent.EventCase is not RingEvent.EventOneofCase.Message) return;
        var message = ringEvent.Message;

        if (message.RingId.Length == 0) message.RingId = _ringId;
        else if (message.RingId != _ringId) _boots.Clear();
        _ringId = message.RingId;

        if (message.Boot.Length > 0) _boots[message.Sender] = message.Boot;
        else if (_boots.TryGetValue(message.Sender, out string? boot)) message.Boot = boot;
    }

    private SubscriptionCutException CutException(Cut cut) =>
        new(cut.Resume, Position, $"The daemon cut this subscription off after position {Position}: {cut.Reason}");
}
