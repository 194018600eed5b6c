using System.Diagnostics.CodeAnalysis;

namespace Membership.Cpg;

/// <summary>A membership of a session of this node, from its request on.</summary>
internal sealed class LocalMembership(uint slot, uint session, string group)
{
    public uint Slot { get; } = slot;

    public uint Session { get; } = session;

    public string Group { get; } = group;

    /// <summary>Its leave is under way.</summary>
    public bool IsLeaving { get; set; }
}

/// <summary>What this node's sessions asked for: ahead of the order by what is under way. Pure structure.</summary>
internal sealed class LocalMemberships(int max)
{
    private readonly Dictionary<uint, LocalMembership> _bySlot = [];
    private readonly Dictionary<(uint Session, string Group), LocalMembership> _byName = [];
    private readonly Dictionary<uint, HashSet<uint>> _bySession = [];
    private uint _lastSlot;

    /// <summary>No further membership fits, or no slot is left at this boot.</summary>
    public bool IsFull => _bySlot.Count >= max || _lastSlot == uint.MaxValue;

    public bool Has(uint session, string group) => _byName.ContainsKey((session, group));

    public bool TryGet(uint slot, [NotNullWhen(true)] out LocalMembership? membership) => _bySlot.TryGetValue(slot, out membership);

    /// <summary>Adds a membership under a slot that was never used.</summary>
    public LocalMembership Add(uint session, string group)
    {
        var membership = new LocalMembership(++_lastSlot, session, group);
        _bySlot.Add(membership.Slot, membership);
        _byName.Add((session, group), membership);
        if (!_bySession.TryGetValue(session, out var slots)) _bySession.Add(session, slots = []);
        slots.Add(membership.Slot);
        return membership;
    }

    /// <summary>The order ended it.</summary>
    public void Remove(uint slot)
    {
        if (!_bySlot.Remove(slot, out var membership)) return;
        _byName.Remove((membership.Session, membership.Group));
        var slots = _bySession[membership.Session];
        slots.Remove(slot);
        if (slots.Count == 0) _bySession.Remove(membership.Session);
    }

    /// <summary>Slots of a session whose leave is not under way, ascending; they are leaving now.</summary>
    public uint[] EndSession(uint session)
    {
        if (!_bySession.TryGetValue(session, out var slots)) return [];
        uint[] ended = [.. slots.Where(slot => !_bySlot[slot].IsLeaving).Order()];
        foreach (var slot in ended) _bySlot[slot].IsLeaving = true;
        return ended;
    }
}
