namespace Membership.Explorer;

/// <summary>The back ends this build has.</summary>
public static class Explorers
{
    /// <summary>Ours first.</summary>
    public static IReadOnlyList<IExplorer> All { get; } =
    [
        new ScheduleExplorer(),
#if WITH_COYOTE
        new Coyote.CoyoteExplorer(),
#endif
    ];
}
