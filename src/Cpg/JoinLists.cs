using Membership.Totem;

namespace Membership.Cpg;

/// <summary>The exchange at the beginning of a view: what each member says of its own memberships. Pure structure.</summary>
/// <remarks>A list that makes no sense counts as an empty one: nobody waits for ever, and all members see the same. Memory is bounded by <see cref="CpgOptions.MembershipsPerNodeMax"/> per member.</remarks>
internal sealed class JoinLists
{
    private readonly List<(ViewMember Name, JoinList List)> _lists = [];
    private RingId _ring;
    private int _missing;

    /// <summary>A view has begun and not all of its lists are in.</summary>
    public bool IsActive { get; private set; }

    /// <summary>The last list that was missing is in.</summary>
    public bool IsComplete => IsActive && _missing == 0;

    public void Begin(View view)
    {
        _ring = view.Id.Ring;
        _lists.Clear();
        foreach (var member in view.Members) _lists.Add((member, new JoinList()));
        _missing = _lists.Count;
        IsActive = true;
    }

    public void End()
    {
        _lists.Clear();
        IsActive = false;
    }

    /// <summary>Members, ascending, and what came of their lists.</summary>
    public IReadOnlyList<(ViewMember Name, JoinList List)> All => _lists;

    /// <summary>Takes a part of a list; null when it was taken, else why not.</summary>
    public GroupError? Take(in Delivery delivery, ReadOnlySpan<byte> message)
    {
        var reader = new GroupReader(message[1..]);
        var flags = reader.Byte();
        var part = reader.Varint();
        var ring = reader.Ring();
        if (!reader.HasFailed && ring != _ring) return GroupError.StaleJoinList;
        if (Find(new ViewMember(delivery.Sender, delivery.SenderBoot)) is not { IsClosed: false } list) return GroupError.StaleJoinList;
        var isLast = flags == GroupWire.LastPart;
        if (reader.HasFailed || flags > GroupWire.LastPart || part != list.Parts.Count || (reader.IsAtEnd && !isLast) || !list.TryAdd(reader.Rest))
        {
            list.Refuse();
            _missing--;
            return GroupError.Malformed;
        }

        if (!isLast) return null;
        list.IsClosed = true;
        _missing--;
        return null;
    }

    private JoinList? Find(ViewMember name)
    {
        foreach (var (member, list) in _lists)
        {
            if (member == name) return list;
        }

        return null;
    }
}

/// <summary>What one member says of its memberships: groups ascending by bytes, in each the sessions ascending, in parts as they came.</summary>
internal sealed class JoinList
{
    private readonly byte[] _lastName = new byte[GroupName.BytesMax];
    private int _lastNameLength;
    private uint _lastSession;
    private int _entries;

    /// <summary>Bodies that were checked.</summary>
    public List<byte[]> Parts { get; } = [];

    /// <summary>Its last part is in, or it was refused.</summary>
    public bool IsClosed { get; set; }

    /// <summary>Checks a part against what came before it and keeps a copy.</summary>
    public bool TryAdd(ReadOnlySpan<byte> body)
    {
        var reader = new JoinListReader(body);
        while (reader.TryNext(out var entry))
        {
            if (++_entries > CpgOptions.MembershipsPerNodeMax || !IsAfterLast(reader.Name, entry.Session)) return false;
            reader.Name.CopyTo(_lastName);
            _lastNameLength = reader.Name.Length;
            _lastSession = entry.Session;
        }

        if (reader.HasFailed) return false;
        Parts.Add(body.ToArray());
        return true;
    }

    public void Refuse()
    {
        Parts.Clear();
        IsClosed = true;
    }

    private bool IsAfterLast(ReadOnlySpan<byte> name, uint session)
    {
        var order = name.SequenceCompareTo(_lastName.AsSpan(0, _lastNameLength));
        return order > 0 || (order == 0 && session > _lastSession);
    }
}

/// <summary>One membership in a join list.</summary>
internal readonly record struct JoinListEntry(uint Slot, uint Session, uint Pid);

/// <summary>Reads the body of one part of a join list.</summary>
internal ref struct JoinListReader(ReadOnlySpan<byte> body)
{
    private GroupReader _reader = new(body);
    private uint _left;
    private bool _isRefused;

    /// <summary>The group of the entry read last.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    /// <summary>It is not what the format says.</summary>
    public readonly bool HasFailed => _isRefused || _reader.HasFailed;

    public bool TryNext(out JoinListEntry entry)
    {
        entry = default;
        if (_left == 0)
        {
            if (_reader.IsAtEnd) return false;
            Name = _reader.Bytes(_reader.Byte());
            _left = _reader.Varint();
            if (_reader.HasFailed || _left == 0 || !GroupName.IsWellFormed(Name)) return Fail();
        }

        _left--;
        entry = new JoinListEntry(_reader.Varint(), _reader.Varint(), _reader.Varint());
        if (_reader.HasFailed || entry.Slot == 0) return Fail();
        return true;
    }

    private bool Fail()
    {
        _isRefused = true;
        return false;
    }
}

/// <summary>Writes the join list of this node, in parts of at most <paramref name="partBytes"/>.</summary>
internal sealed class JoinListWriter(RingId ring, int partBytes, ICpgEffects effects)
{
    private const int EntryBytesMax = 3 * GroupWire.VarintBytesMax;

    private readonly byte[] _part = new byte[partBytes];
    private uint _number;
    private int _length;

    /// <returns>The number of parts.</returns>
    public int Write(Group[] groups, NodeMembers own)
    {
        for (var rank = 0; rank < groups.Length; rank++) groups[rank].Rank = (uint)rank;
        Membership[] memberships = [.. own.Slots.Values];
        Array.Sort(Array.ConvertAll(memberships, static one => ((ulong)one.Group.Rank << 32) | one.Member.Session), memberships);
        BeginPart();
        for (var start = 0; start < memberships.Length;)
        {
            var end = start + 1;
            while (end < memberships.Length && memberships[end].Group == memberships[start].Group) end++;
            start += WriteGroup(memberships.AsSpan(start, end - start));
        }

        _part[1] = GroupWire.LastPart;
        EndPart();
        return (int)_number;
    }

    /// <summary>Writes as many memberships of one group as the part has room for, at least one; returns how many.</summary>
    private int WriteGroup(ReadOnlySpan<Membership> memberships)
    {
        Span<byte> name = stackalloc byte[GroupName.BytesMax];
        name = name[..System.Text.Encoding.UTF8.GetBytes(memberships[0].Group.Name, name)];
        var head = 1 + name.Length + GroupWire.VarintBytesMax;
        if (_part.Length - _length < head + EntryBytesMax)
        {
            EndPart();
            BeginPart();
        }

        var count = Math.Min(memberships.Length, (_part.Length - _length - head) / EntryBytesMax);
        _part[_length++] = (byte)name.Length;
        name.CopyTo(_part.AsSpan(_length));
        _length += name.Length;
        Add((uint)count);
        foreach (var membership in memberships[..count])
        {
            Add(membership.Slot);
            Add(membership.Member.Session);
            Add(membership.Member.Pid);
        }

        return count;
    }

    private void BeginPart() => _length = GroupWire.WriteJoinListHeader(_part, _number++, ring);

    private void EndPart() => effects.SubmitControl(_part.AsSpan(0, _length));

    private void Add(uint value) => _length += GroupWire.WriteVarint(_part.AsSpan(_length), value);
}
