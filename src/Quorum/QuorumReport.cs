namespace Membership.Quorum;

/// <summary>What a member tells the others of a view about itself.</summary>
/// <param name="WaitsForAll">Wait-for-all is armed.</param>
/// <param name="WasQuorate">It was quorate just before.</param>
/// <param name="IsFresh">It has no record of a primary view.</param>
/// <param name="Record">What it knows.</param>
internal sealed record QuorumReport(bool WaitsForAll, bool WasQuorate, bool IsFresh, QuorumRecord Record)
{
    private const byte WaitsForAllFlag = 1;
    private const byte WasQuorateFlag = 2;
    private const byte IsFreshFlag = 4;

    /// <summary>Writes it behind the head of a message.</summary>
    public void Write(QuorumWriter writer)
    {
        writer.Byte((byte)((WaitsForAll ? WaitsForAllFlag : 0) | (WasQuorate ? WasQuorateFlag : 0) | (IsFresh ? IsFreshFlag : 0)));
        writer.Record(Record);
    }

    /// <summary>Reads to the end of the message; null when it is malformed.</summary>
    public static QuorumReport? Read(ref QuorumReader reader)
    {
        var flags = reader.Byte();
        var record = reader.Record();
        if (record is null || !reader.IsComplete || flags > (WaitsForAllFlag | WasQuorateFlag | IsFreshFlag)) return null;
        return new QuorumReport((flags & WaitsForAllFlag) != 0, (flags & WasQuorateFlag) != 0, (flags & IsFreshFlag) != 0, record);
    }

    /// <summary>The newest of what all members know, and every change that is not known to be settled.</summary>
    public static QuorumRecord Merge(IReadOnlyCollection<QuorumReport> reports)
    {
        var newest = QuorumRecord.Empty;
        foreach (var report in reports)
        {
            if (report.Record.Epoch > newest.Epoch) newest = newest with { Epoch = report.Record.Epoch, Members = report.Record.Members };
            if (QuorumTerms.Compare(report.Record.Terms, newest.Terms) > 0) newest = newest with { Terms = report.Record.Terms };
        }

        SortedSet<QuorumTerms> pending = new(Comparer<QuorumTerms>.Create(QuorumTerms.Compare));
        var highest = 0UL;
        foreach (var report in reports)
        {
            // An operator may have lowered the expected votes; who has not heard of it does not count for the highest ever.
            if (report.Record.Terms.IsSame(newest.Terms)) highest = Math.Max(highest, report.Record.HighestExpected);
            pending.UnionWith(report.Record.Pending.Where(terms => terms.Counter > newest.Terms.Counter));
        }

        return newest with { Pending = [.. pending.TakeLast(QuorumRecord.PendingMax)], HighestExpected = highest };
    }
}
