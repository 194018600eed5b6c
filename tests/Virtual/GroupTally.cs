namespace Membership.Virtual;

/// <summary>What a run did with groups, over all nodes.</summary>
public readonly record struct GroupTally(long Changes, long Deliveries, long Synchronisations, long Cut)
{
    public GroupTally Plus(GroupTally other) =>
        new(Changes + other.Changes, Deliveries + other.Deliveries, Synchronisations + other.Synchronisations, Cut + other.Cut);
}
