using System.Globalization;
using System.Runtime.InteropServices;
using Membership.Invariants;
using Membership.Links;
using Membership.Totem;
using Membership.V1;

namespace Membership.Namespaces;

/// <summary>Recordings of several daemons as one history for the invariants that the simulator checks too.</summary>
public static class RecordedHistory
{
    /// <summary>Checks the recordings; an empty list means that nothing was broken.</summary>
    /// <remarks>One recording is one run of a daemon, from the middle of its life. Times are the machine's one monotonic clock.</remarks>
    public static IReadOnlyList<Violation> Check(IReadOnlyList<RingRecorder> recorders)
    {
        var checker = new HistoryChecker(new HistoryOptions { AllObserved = false, RecoveriesRecorded = false });
        var streams = new List<(int Incarnation, IReadOnlyList<RecordedEvent> Events)>();
        foreach (var recorder in recorders)
        {
            var self = new NodeId((ushort)recorder.Node);
            var name = Members(recorder.Views[0]).Single(member => member.Node == self);
            streams.Add((checker.Begin(name, joinsLate: true, recordsSends: false), recorder.Events));
        }

        var merged = streams.SelectMany(stream => stream.Events.Select((item, place) => (item.Event.TNs, stream.Incarnation, place, item)))
            .OrderBy(entry => entry.TNs).ThenBy(entry => entry.Incarnation).ThenBy(entry => entry.place);
        foreach (var (at, incarnation, _, item) in merged) Feed(checker, incarnation, at, item);
        checker.Finish(new HistoryEnding());
        return checker.Violations;
    }

    private static void Feed(HistoryChecker checker, int incarnation, long at, RecordedEvent item)
    {
        if (item.Event.EventCase == RingEvent.EventOneofCase.View)
        {
            checker.Installed(incarnation, at, JsonHistory.ParseViewId(item.Event.View.Id), Members(item.Event.View));
            return;
        }

        var message = item.Event.Message;
        var level = message.Level == V1.DeliveryLevel.Safe ? Totem.DeliveryLevel.Safe : Totem.DeliveryLevel.Agreed;
        var delivery = new Delivery(JsonHistory.ParseRingId(item.RingId), new Seq(message.Seq), (int)message.Index,
            new NodeId((ushort)message.Sender), Boot(item.Boot), message.Counter, level, (byte)message.Service);
        checker.Delivered(incarnation, at, delivery, MemoryMarshal.Read<ulong>(message.Sha256.Span), (int)message.Size);
    }

    private static List<Totem.ViewMember> Members(V1.View view) =>
        [.. view.Members.Select(member => new Totem.ViewMember(new NodeId((ushort)member.Node), Boot(member.Boot)))];

    private static ulong Boot(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
