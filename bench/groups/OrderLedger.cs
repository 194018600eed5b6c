using System.Collections.Concurrent;
using Membership.Client;

namespace Membership.Bench.Groups;

/// <summary>One event of a group, the same for all members: the number of a change, or the place of a message.</summary>
internal readonly record struct EventId(ulong Change, OrderPosition? Message)
{
    public override string ToString() => Message is { } position ? $"message {position}" : $"change {Change}";
}

/// <summary>What every member of every group saw, as a chain: each event with its content and the event before it. Two members that disagree make a mismatch.</summary>
/// <remarks>Who leaves an event out, sees one twice or in another place has another chain than the others. Safe for several threads.</remarks>
internal sealed class OrderLedger
{
    /// <summary>Mismatches that are described; all are counted.</summary>
    public const int FindingsMax = 10;

    private readonly ConcurrentDictionary<(string Group, EventId Id), Link> _links = new();
    private readonly ConcurrentQueue<string> _findings = new();
    private long _events;
    private long _mismatches;

    /// <summary>Events seen, by each member counted.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Events that happened, each counted once.</summary>
    public int Distinct => _links.Count;

    /// <summary>Times one member saw something else than another.</summary>
    public long Mismatches => Volatile.Read(ref _mismatches);

    /// <summary>The first of them.</summary>
    public IReadOnlyList<string> Findings => [.. _findings];

    /// <summary>A member saw an event.</summary>
    /// <param name="group">Where.</param>
    /// <param name="id">Which.</param>
    /// <param name="content">A hash of all it told.</param>
    /// <param name="before">The event the member saw before it; null: it saw none, because it joined with this one.</param>
    public void Saw(string group, EventId id, ulong content, EventId? before)
    {
        Interlocked.Increment(ref _events);
        var link = _links.GetOrAdd((group, id), static _ => new Link());
        string? difference;
        lock (link) difference = link.Compare(content, before);
        if (difference is not null) Mismatch($"{group}: {id}: {difference}");
    }

    /// <summary>Something else that must be equal is not.</summary>
    public void Mismatch(string finding)
    {
        if (Interlocked.Increment(ref _mismatches) <= FindingsMax) _findings.Enqueue(finding);
    }

    private sealed class Link
    {
        private ulong? _content;
        private EventId? _before;

        public string? Compare(ulong content, EventId? before)
        {
            _content ??= content;
            _before ??= before;
            if (_content != content) return $"one member was told {_content:x16}, another {content:x16}";
            return before is not null && before != _before ? $"for one member it follows {_before}, for another {before}" : null;
        }
    }
}

/// <summary>One membership's way through the events of its group.</summary>
internal sealed class OrderWitness(OrderLedger ledger, string group)
{
    private EventId? _last;

    /// <summary>The event seen last; null: none.</summary>
    public EventId? Last => _last;

    /// <summary>The regular view of the change seen last.</summary>
    public string View { get; private set; } = "";

    /// <summary>Takes the next update. False: the membership was interrupted, its chain is at its end.</summary>
    public bool See(GroupUpdate update)
    {
        switch (update)
        {
            case GroupUpdate.MembersChanged changed:
                View = changed.ViewId;
                Add(new EventId(changed.Change, null), Hash([(ulong)changed.Reason, .. Numbers(changed.Members), ulong.MaxValue, .. Numbers(changed.Joined), ulong.MaxValue, .. Numbers(changed.Left)]));
                return true;
            case GroupUpdate.Message message:
                Add(new EventId(0, message.Position), Hash([.. Numbers([message.Sender]), message.Counter, Hash(message.Payload.Span)]));
                return true;
            default:
                return false;
        }
    }

    private void Add(EventId id, ulong content)
    {
        ledger.Saw(group, id, content, _last);
        _last = id;
    }

    private static IEnumerable<ulong> Numbers(IReadOnlyList<Member> members) => members.Select(static member => ((ulong)member.Node << 32) | member.Session);

    // FNV-1a: equality is looked for, not an adversary.
    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        var hash = 14695981039346656037UL;
        foreach (var one in bytes) hash = (hash ^ one) * 1099511628211UL;
        return hash;
    }

    private static ulong Hash(ReadOnlySpan<ulong> numbers) => Hash(System.Runtime.InteropServices.MemoryMarshal.AsBytes(numbers));
}
