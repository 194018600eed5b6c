namespace Membership.Simulation;

/// <summary>Makes a failing run short: leaves out steps by halves, quarters and so on while the same invariant still breaks.</summary>
public static class Shrinker
{
    /// <summary>Runs that a shrinking may take.</summary>
    public const int RunsMax = 400;

    /// <summary>The numbers of the steps that are needed, or null when the seed does not fail.</summary>
    public static IReadOnlyList<int>? Shrink(ulong seed, int nodes, Action<string> say)
    {
        var first = Simulator.Run(seed, nodes);
        if (first.Verdict != Verdict.Failed) return null;
        var id = first.Violations[0].Id;
        var kept = Enumerable.Range(0, Plan.Draw(Swarm.Draw(seed, nodes), seed).Count).ToList();
        var runs = 0;
        say($"seed {seed} breaks {id} with {kept.Count} steps");
        for (var part = Math.Max(1, kept.Count / 2); kept.Count > 0 && runs < RunsMax;)
        {
            var before = kept.Count;
            for (var start = 0; start < kept.Count && runs < RunsMax; runs++)
            {
                List<int> fewer = [.. kept.Take(start), .. kept.Skip(start + part)];
                var result = Simulator.Run(seed, nodes, fewer);
                if (result.Verdict == Verdict.Failed && result.Violations[0].Id == id) kept = fewer;
                else start += part;
            }
            say($"  {kept.Count} steps after {runs} runs");
            if (part == 1 && kept.Count == before) break;
            part = Math.Max(1, Math.Min(part / 2, kept.Count / 2));
        }
        return kept;
    }
}
