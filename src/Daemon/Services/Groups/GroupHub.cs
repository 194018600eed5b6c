using Google.Protobuf;
using Membership.Cpg;
using Membership.Links;
using Proto = Membership.V1;

namespace Membership.Daemon.Services.Groups;

/// <summary>Knows who at this daemon reads which group, and puts what the node reports about those groups into the log. Ring thread only.</summary>
/// <remarks>
/// A message costs one look-up of its group, whoever reads it; readers are marked once a batch, those of the groups in the batch only. A group is recorded while
/// it has a reader here, or is kept for one that was cut off; it is known from which position on, so that a watch that resumes has no gap.
/// </remarks>
internal sealed class GroupHub(NodeId self, GroupLog log)
{
    private readonly Dictionary<string, Entry> _entries = [];
    private readonly Dictionary<uint, List<Subscription>> _sessions = [];
    private readonly List<Entry> _touched = [];
    private readonly List<GroupReader> _marked = [];
    private Entry? _lastUsed;
    private uint _numbers;

    /// <summary>True while a session is in a group, or has asked to be.</summary>
    public bool IsIn(uint session, string group) => _sessions.TryGetValue(session, out var list) && list.Exists(subscription => subscription.Name == group);

    /// <summary>A session is about to ask to join a group: events of the join may come before the answer.</summary>
    public Subscription Expect(uint session, GroupReader reader, string group, uint handle, bool withoutOwn)
    {
        var entry = EntryOf(group);
        var subscription = new Subscription(reader, entry.Number, group, handle, withoutOwn);
        entry.Expected.Add((session, subscription));
        if (!_sessions.TryGetValue(session, out var list)) _sessions[session] = list = [];
        list.Add(subscription);
        return subscription;
    }

    /// <summary>The answer to the join.</summary>
    public void Answered(uint session, Subscription subscription, JoinResult result)
    {
        if (result.Status == GroupStatus.Accepted)
        {
            subscription.Slot = result.Slot;
            subscription.Reader.Add(subscription);
            return;
        }
        Forget(session, subscription);
    }

    /// <summary>The groups a session is in, or has asked to join.</summary>
    public IReadOnlyList<string> GroupsOf(uint session) => _sessions.TryGetValue(session, out var list) ? [.. list.Select(static subscription => subscription.Name)] : [];

    /// <summary>A session is gone: nothing is read for it any more.</summary>
    public void EndSession(uint session)
    {
        if (!_sessions.Remove(session, out var list)) return;
        foreach (var subscription in list) RemoveFromEntry(subscription);
    }

    /// <summary>Somebody watches a group from now on.</summary>
    public Subscription Watch(GroupReader reader, string group)
    {
        var entry = EntryOf(group);
        Record(entry);
        return Watch(reader, entry, log.NextPosition - 1, GroupReader.None);
    }

    /// <summary>Somebody watches what follows a position, none above that of the last event; null where something of the group after it is not recorded, or overwritten.</summary>
    public Subscription? WatchAfter(GroupReader reader, string group, long position)
    {
        if (RecordedAfter(group) is not { } recorded || position < recorded) return null;
        var entry = _entries[group];   // it is recorded
        var offset = position >= entry.Last ? log.EndOffset : log.OffsetAfter(position);
        return offset is { } from ? Watch(reader, entry, position, from) : null;
    }

    /// <summary>Every event of the group after this position went into the log; null while the group is not recorded.</summary>
    public long? RecordedAfter(string group) => _entries.TryGetValue(group, out var entry) && entry.IsRecorded ? entry.RecordedAfter : null;

    /// <summary>Records a group on although nobody may read it; false where it is not recorded.</summary>
    public bool Keep(string group)
    {
        if (RecordedAfter(group) is null) return false;
        return _entries[group].IsKept = true;
    }

    /// <summary>Ends <see cref="Keep"/>.</summary>
    public void Release(string group)
    {
        var entry = _entries[group];   // it is kept
        entry.IsKept = false;
        RemoveIfUnused(entry);
    }

    /// <summary>Nobody watches with this one any more.</summary>
    public void Unwatch(Subscription subscription) => RemoveFromEntry(subscription);

    /// <summary>The membership of a group changed.</summary>
    public void Changed(GroupChange change, long time)
    {
        if (!_entries.TryGetValue(change.Group, out var entry)) return;
        foreach (var member in change.Joined)
        {
            if (member.Node == self) Begin(entry, member.Session);
        }
        if (!entry.IsRecorded) return;
        var position = log.NextPosition;
        foreach (var member in change.Left)
        {
            if (member.Node == self) Finish(entry, member.Session, position);
        }
        entry.Last = position;
        Touch(entry, log.AppendChange(entry.Number, Encode(change), time));
    }

    /// <summary>A message of a group.</summary>
    public void Message(in GroupDelivery message, ReadOnlySpan<byte> payload, long time)
    {
        var entry = _lastUsed;
        if (entry is null || !ReferenceEquals(entry.LastName, message.Group))
        {
            if (!_entries.TryGetValue(message.Group, out entry)) return;
            entry.LastName = message.Group;
            _lastUsed = entry;
        }
        if (!entry.IsRecorded) return;
        entry.Last = log.NextPosition;
        Touch(entry, log.Append(message, entry.Number, payload, time));
    }

    /// <summary>Marks the readers of what was added, publishes it and wakes them. Once per batch.</summary>
    public void BatchEnd()
    {
        if (_touched.Count == 0) return;
        foreach (var entry in _touched)
        {
            foreach (var subscription in entry.Readers)
            {
                var reader = subscription.Reader;
                if (reader.BatchFirst == long.MaxValue) _marked.Add(reader);
                reader.BatchFirst = Math.Min(reader.BatchFirst, entry.First);
            }
            entry.First = long.MaxValue;
            RemoveEnded(entry);
        }
        foreach (var reader in _marked) reader.Mark(log.EndOffset);
        log.Publish();
        foreach (var reader in _marked) reader.Signal.Raise();
        _touched.Clear();
        _marked.Clear();
    }

    /// <summary>How hard the ring thread should stand back so that readers can catch up, see <see cref="ReaderPace.Pressure"/>.</summary>
    public double Pressure(Instant now) => log.Pace.Pressure(now);

    /// <summary>The node has left: nothing follows. After the last <see cref="BatchEnd"/>; ring thread, or any thread after it has ended.</summary>
    public void End()
    {
        log.End();
        foreach (var entry in _entries.Values)
        {
            foreach (var subscription in entry.Readers) subscription.Reader.Signal.Raise();
        }
    }

    private void Begin(Entry entry, uint session)
    {
        var at = entry.Expected.FindIndex(expected => expected.Session == session);
        if (at < 0) return;   // of a session that has ended meanwhile
        var subscription = entry.Expected[at].Subscription;
        entry.Expected.RemoveAt(at);
        Record(entry);
        subscription.First = log.NextPosition;
        AddReader(entry, subscription);
    }

    private static Subscription Watch(GroupReader reader, Entry entry, long position, long offset)
    {
        var subscription = new Subscription(reader, entry.Number, entry.Name, 0, withoutOwn: false) { First = position + 1 };
        reader.BeginAfter(position, offset);
        AddReader(entry, subscription);
        reader.Add(subscription);
        return subscription;
    }

    // Before the first reader is there. With a position of its own: a client that read up to the last one, before the group was not recorded, must not go on here.
    private void Record(Entry entry)
    {
        if (!entry.IsRecorded) entry.RecordedAfter = log.Mark();
    }

    private static void AddReader(Entry entry, Subscription subscription)
    {
        entry.Readers.Add(subscription);
        entry.ReadersLive++;
    }

    private void Finish(Entry entry, uint session, long position)
    {
        if (!_sessions.TryGetValue(session, out var list)) return;
        if (list.Find(own => own.Group == entry.Number && own.HasBegun) is not { } subscription) return;
        subscription.Last = position;
        list.Remove(subscription);
        entry.ReadersLive--;   // at once: from here on the node reports no more messages where this was the last member
        entry.HasEnds = true;
    }

    private void Touch(Entry entry, long offset)
    {
        if (entry.First != long.MaxValue) return;
        entry.First = offset;
        _touched.Add(entry);
    }

    private void RemoveEnded(Entry entry)
    {
        if (entry.HasEnds) entry.Readers.RemoveAll(static subscription => subscription.IsOver);
        entry.HasEnds = false;
        RemoveIfUnused(entry);
    }

    private void Forget(uint session, Subscription subscription)
    {
        if (_sessions.TryGetValue(session, out var list)) list.Remove(subscription);
        RemoveFromEntry(subscription);
    }

    private void RemoveFromEntry(Subscription subscription)
    {
        if (!_entries.TryGetValue(subscription.Name, out var entry) || entry.Number != subscription.Group) return;
        if (entry.Readers.Remove(subscription) && !subscription.IsOver) entry.ReadersLive--;
        entry.Expected.RemoveAll(expected => expected.Subscription == subscription);
        RemoveIfUnused(entry);
    }

    private void RemoveIfUnused(Entry entry)
    {
        if (entry.Readers.Count > 0 || entry.Expected.Count > 0 || entry.IsKept || entry.First != long.MaxValue) return;
        _entries.Remove(entry.Name);
        if (_lastUsed == entry) _lastUsed = null;
    }

    private Entry EntryOf(string group)
    {
        if (!_entries.TryGetValue(group, out var entry)) _entries[group] = entry = new Entry(++_numbers, group);
        return entry;
    }

    private static byte[] Encode(GroupChange change) => new Proto.GroupMembership
    {
        View = new Proto.View { Id = change.View.ToString(), Number = change.View.Ring.Sequence },
        Members = { change.Members.Select(ProtoGroups.Member) },
        Joined = { change.Joined.Select(ProtoGroups.Member) },
        Left = { change.Left.Select(ProtoGroups.Member) },
        Reason = ProtoGroups.Reason(change.Reason),
        Change = change.Change,
    }.ToByteArray();

    /// <summary>A group that somebody here reads, or has asked to join.</summary>
    private sealed class Entry(uint number, string name)
    {
        public uint Number { get; } = number;

        public string Name { get; } = name;

        /// <summary>The name as the node hands it out: one object as long as the group has members.</summary>
        public string? LastName { get; set; }

        public List<(uint Session, Subscription Subscription)> Expected { get; } = [];

        public List<Subscription> Readers { get; } = [];

        /// <summary>Readers but for those whose last event has come.</summary>
        public int ReadersLive { get; set; }

        /// <summary>It is recorded for somebody who may come back.</summary>
        public bool IsKept { get; set; }

        /// <summary>Its events go into the log.</summary>
        public bool IsRecorded => ReadersLive > 0 || IsKept;

        /// <summary>All its events after this position are in the log, while it is recorded.</summary>
        public long RecordedAfter { get; set; }

        /// <summary>Position of its last event in the log.</summary>
        public long Last { get; set; }

        /// <summary>Offset of its first record in this batch.</summary>
        public long First { get; set; } = long.MaxValue;

        public bool HasEnds { get; set; }
    }
}
