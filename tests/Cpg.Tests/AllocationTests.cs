using Membership.Links;
using Membership.Totem;
using Xunit;

namespace Membership.Cpg.Tests;

/// <summary>The path of a message: nothing is allocated, nothing is copied, nothing is searched.</summary>
public sealed class AllocationTests
{
    [Fact]
    public void Sending_and_delivering_allocate_nothing()
    {
        var effects = new Quiet();
        var core = Alone(effects);
        var slot = core.Join(1, 0, "a", effects).Slot;
        effects.Order(core);
        var payload = new byte[1000];
        for (var i = 0; i < 100; i++) Turn(core, effects, slot, payload);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++) Turn(core, effects, slot, payload);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(10_100, effects.Messages);
    }

    [Fact]
    public void A_message_costs_the_same_among_two_hundred_thousand_memberships()
    {
        var effects = new Quiet();
        var core = Alone(effects);
        for (var session = 1u; session <= 200; session++)
        {
            for (var group = 0; group < 1000; group++) core.Join(session, 0, $"group {group}", effects);
        }

        effects.Order(core);
        Assert.Equal(200_000, core.Counters.Changes);
        Assert.Equal(1000, core.Groups.Count());
        Assert.Equal(200, core.MembersOf("group 999").Count);
        var payload = new byte[100];
        for (var i = 0u; i < 100; i++) Turn(core, effects, 1 + i, payload);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0u; i < 10_000; i++) Turn(core, effects, 1 + (i * 17), payload);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(10_100, effects.Messages);
    }

    private static void Turn(CpgNode core, Quiet effects, uint slot, ReadOnlySpan<byte> payload)
    {
        core.Send(slot, payload, DeliveryLevel.Agreed, effects);
        core.OnMessage(effects.Place(), effects.Last, effects);
    }

    private static CpgNode Alone(Quiet effects)
    {
        var core = new CpgNode(new CpgOptions { Self = Quiet.Self.Node });
        core.OnView(new View(ViewId.Regular(Quiet.Ring), [Quiet.Self], null, [Quiet.Self], []), effects);
        return core;
    }

    /// <summary>Keeps the last message in one buffer.</summary>
    private sealed class Quiet : ICpgEffects
    {
        public static readonly ViewMember Self = new(new NodeId(1), 1);
        public static readonly RingId Ring = new(new NodeId(1), 1, 1);

        private readonly byte[] _last = new byte[2000];
        private readonly List<byte[]> _control = [];
        private int _length;
        private ulong _counter;

        public long Messages { get; private set; }

        public ReadOnlySpan<byte> Last => _last.AsSpan(0, _length);

        public Delivery Place() => new(Ring, new Seq(_counter), 0, Self.Node, Self.Boot, _counter, DeliveryLevel.Agreed, 2);

        /// <summary>Delivers the control messages so far.</summary>
        public void Order(CpgNode core)
        {
            foreach (var message in _control) core.OnMessage(Place(), message, this);
            _control.Clear();
        }

        public SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level)
        {
            header.CopyTo(_last);
            payload.CopyTo(_last.AsSpan(header.Length));
            _length = header.Length + payload.Length;
            return new SubmitResult(SubmitStatus.Accepted, ++_counter);
        }

        public void SubmitControl(ReadOnlySpan<byte> payload) => _control.Add(payload.ToArray());

        public void Changed(GroupChange change)
        {
        }

        public void Message(in GroupDelivery message, ReadOnlySpan<byte> payload) => Messages++;

        public void Dropped(ulong counter)
        {
        }
    }
}
