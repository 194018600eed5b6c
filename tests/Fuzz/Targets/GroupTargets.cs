using Membership.Cpg;
using Membership.Fuzz.Engine;
using Membership.Links;
using Membership.Totem;

namespace Membership.Fuzz.Targets;

/// <summary>Swallows what groups want.</summary>
internal sealed class NoGroups : ICpgEffects
{
    public SubmitResult Submit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, DeliveryLevel level) => new(SubmitStatus.Accepted, 1);

    public void SubmitControl(ReadOnlySpan<byte> payload)
    {
    }

    public void Changed(GroupChange change)
    {
    }

    public void Message(in GroupDelivery message, ReadOnlySpan<byte> payload)
    {
    }

    public void Dropped(ulong counter)
    {
    }
}

/// <summary>Messages of the groups' service as members order them. First byte: who sent it (1 or 2), and of a member that is not known yet (3).</summary>
internal sealed class GroupMessageTarget : Target
{
    private static readonly GroupError[] Errors = [.. Enum.GetValues<GroupError>().Where(error => error != GroupError.TooMany)];

    private static readonly ViewMember One = new(new NodeId(1), 11), Two = new(new NodeId(2), 22), Three = new(new NodeId(3), 33);

    private readonly NoGroups _effects = new();
    private readonly long[] _before = new long[Errors.Length];
    private CpgNode _node = null!; // set by Begin
    private ulong _ring;

    public GroupMessageTarget() => Begin();

    public override string Name => "cpg/message";

    /// <summary>TooMany needs 262 144 memberships of one node; Cpg.Tests shows it.</summary>
    public override IReadOnlyList<string> Reasons { get; } = ["taken", .. Errors.Select(error => error.ToString())];

    public override int LengthMax => 512;

    public override bool IsStateful => true;

    // A change tells who is in the group: all members, once for each message that changes it. 200 members and the name fit in here.
    public override long AllocationMax(int length) => (4L * length) + (256 * 1024);

    public override int RateMin => 10_000;

    public override IEnumerable<Seed> Seeds()
    {
        yield return Of("join", 1, [2, 9, 40, 100, .. "alpha"u8]);
        yield return Of("join-again", 1, [2, 10, 40, 100, .. "alpha"u8]);
        yield return Of("join-slot-taken", 1, [2, 1, 40, 100, .. "beta"u8]);
        yield return Of("join-bad-name", 2, [2, 11, 41, 100, 0x07]);
        yield return Of("message", 1, [1, 1, .. "hello"u8]);
        yield return Of("message-of-nobody", 2, [1, 99, .. "hello"u8]);
        yield return Of("leave", 1, [3, 1, 1]);
        yield return Of("leave-two", 2, [3, 2, 1, 2]);
        yield return Of("leave-of-nobody", 2, [3, 1, 77]);
        yield return Of("list", 2, List());
        yield return Of("unknown-kind", 2, [9, 1]);
        yield return Of("stranger", 3, [1, 1, 2]);
        yield return Of("long-number", 1, [1, 0x80, 0x80, 0x80, 0x80, 0x0f, 1]);
        yield return Of("overlong-number", 1, [1, 0x81, 0x00, 1]);
    }

    public override void Reset() => Begin();

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        for (var i = 0; i < Errors.Length; i++) _before[i] = _node.Counters.Dropped(Errors[i]);
        var sender = input[0] == 3 ? Three : input[0] % 2 == 0 ? Two : One;
        if (input[0] == 3) Join();
        var ring = new RingId(new NodeId(1), _ring, 11);
        _node.OnMessage(new Delivery(ring, new Seq(5), 0, sender.Node, sender.Boot, 1, DeliveryLevel.Agreed, 2), input[1..], _effects);
        if (input[0] == 3) End();
        for (var i = 0; i < Errors.Length; i++)
        {
            if (_node.Counters.Dropped(Errors[i]) != _before[i]) return 1 + i;
        }

        return 0;
    }

    // A view with a member that is not known yet: what it says waits for its list, and the view ends before that comes.
    private void Join()
    {
        var old = ViewId.Regular(new RingId(new NodeId(1), _ring, 11));
        var next = new RingId(new NodeId(1), ++_ring, 11);
        _node.OnView(new View(new ViewId(next, old.Ring), [One, Two], old, [], []), _effects);
        _node.OnView(new View(ViewId.Regular(next), [One, Two, Three], null, [Three], []), _effects);
    }

    private void End()
    {
        var old = ViewId.Regular(new RingId(new NodeId(1), _ring, 11));
        var next = new RingId(new NodeId(1), ++_ring, 11);
        _node.OnView(new View(new ViewId(next, old.Ring), [One, Two], old, [], [Three]), _effects);
        _node.OnView(new View(ViewId.Regular(next), [One, Two], null, [], []), _effects);
    }

    private void Begin()
    {
        _node = new CpgNode(new CpgOptions { Self = new NodeId(1) });
        _ring = 4;
        var ring = new RingId(new NodeId(1), _ring, 11);
        _node.OnView(new View(ViewId.Regular(ring), [One, Two], null, [One, Two], []), _effects);
        var list = List();
        foreach (var member in new[] { One, Two }) _node.OnMessage(new Delivery(ring, new Seq(1), 0, member.Node, member.Boot, 1, DeliveryLevel.Agreed, 2), list, _effects);
        foreach (var member in new[] { One, Two })
        {
            for (byte slot = 1; slot <= 3; slot++)
                _node.OnMessage(new Delivery(ring, new Seq(2), 0, member.Node, member.Boot, slot, DeliveryLevel.Agreed, 2), [2, slot, slot, 100, .. "alpha"u8], _effects);
        }
    }

    private static byte[] List()
    {
        var message = new byte[64];
        var length = GroupWire.WriteJoinListHeader(message, 0, new RingId(new NodeId(1), 4, 11));
        message[1] = GroupWire.LastPart;
        return message[..length];
    }

    private static Seed Of(string name, byte sender, byte[] message) => new(name, [sender, .. message]);
}

/// <summary>One part of a join list, fresh each time.</summary>
internal sealed class JoinListTarget : Target
{
    private static readonly ViewMember Member = new(new NodeId(1), 1);
    private static readonly RingId Ring = new(Member.Node, 1, 1);
    private static readonly View View = new(ViewId.Regular(Ring), [Member], null, [Member], []);

    public override string Name => "cpg/join-list";

    public override IReadOnlyList<string> Reasons { get; } = ["taken", "Malformed", "StaleJoinList"];

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("empty", List(0, GroupWire.LastPart, []));
        yield return new Seed("one", List(0, GroupWire.LastPart, [5, .. "alpha"u8, 1, 1, 7, 100]));
        yield return new Seed("two-groups", List(0, 0, [1, .. "a"u8, 2, 1, 7, 100, 2, 8, 100, 1, .. "b"u8, 1, 3, 7, 100]));
        yield return new Seed("long-numbers", List(0, GroupWire.LastPart, [1, .. "a"u8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 7, 100]));
        yield return new Seed("other-ring", With(List(0, GroupWire.LastPart, []), 3, 9));
        yield return new Seed("second-part-first", List(1, 0, [1, .. "a"u8, 1, 1, 7, 100]));
        yield return new Seed("name-not-utf8", List(0, GroupWire.LastPart, [2, 0xc3, 0x28, 1, 1, 7, 100]));
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 1;
        var lists = new JoinLists();
        lists.Begin(View);
        return lists.Take(new Delivery(Ring, new Seq(1), 0, Member.Node, Member.Boot, 1, DeliveryLevel.Agreed, 2), input) switch
        {
            null => 0,
            GroupError.Malformed => 1,
            GroupError.StaleJoinList => 2,
            var other => throw new BrokenPromiseException($"a part of a list is {other}"),
        };
    }

    private static byte[] List(uint part, byte flags, byte[] body)
    {
        var message = new byte[64];
        var length = GroupWire.WriteJoinListHeader(message, part, Ring);
        message[1] = flags;
        return [.. message[..length], .. body];
    }

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        bytes[at] = value;
        return bytes;
    }
}
