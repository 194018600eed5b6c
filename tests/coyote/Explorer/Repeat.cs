using Membership.Explorer.Strategies;

namespace Membership.Explorer;

/// <summary>Runs an iteration that passed a second time with the same answers and says where it differs.</summary>
internal static class Repeat
{
    /// <returns>Words, or null when both runs were the same.</returns>
    public static string? Compare(Action<IExploration> test, ExploreOptions options, Decision[] decisions, ulong statesPath, TracePlayer player)
    {
        var exploration = new Exploration(options.StepsMax, options.LivenessSteps, null);
        player.Load(decisions, isLoose: false);
        var second = exploration.Run(test, player, TracePlayer.SeedAfterEnd);
        if (player.Left is { } left) return $"run twice with the same answers, {left}";
        if (second.HasFailed && second.Kind != FailureKind.Liveness) return $"run twice with the same answers, it passed once and failed the second time: {second.Message}";
        if (second.StatesPath != statesPath) return "run twice with the same answers, it told other states the second time";
        return null;
    }
}
