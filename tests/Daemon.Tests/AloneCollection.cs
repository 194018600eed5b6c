namespace Membership.Daemon.Tests;

/// <summary>Classes that run one after the other and beside no other.</summary>
/// <remarks>
/// Some start processes: one that is being started holds this one's open files for a moment, locks of state directories among them. Others measure what is of the whole
/// process, as its memory, or let real threads keep pace with real time, which they do where nobody else wants the processors.
/// </remarks>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    /// <summary>Of the collection.</summary>
    public const string Name = "alone";
}
