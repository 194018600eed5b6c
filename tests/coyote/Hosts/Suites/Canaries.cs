using Membership.Exploration.Hosts.Steering;
using Membership.Explorer;

namespace Membership.Exploration.Hosts.Suites;

/// <summary>Iterations that end without a word of what went wrong unless the world looks at each of its actors.</summary>
internal static class Canaries
{
    /// <summary>The suite itself is cancelled before it has checked anything.</summary>
    public static void Cancelled(IExploration exploration) => World.Run(exploration, static async _ =>
    {
        await Task.Yield();
        throw new TaskCanceledException("nobody asked for it");
    });

    /// <summary>An actor fails that nobody awaits.</summary>
    public static void Unobserved(IExploration exploration) => World.Run(exploration, static async world =>
    {
        _ = world.Spawn("forgotten", static async () =>
        {
            await Task.Yield();
            throw new InvalidOperationException("nobody awaits it");
        });
        await Task.Yield();
    });
}
