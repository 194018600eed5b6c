using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>Proves that the alarm works: what is planted must be found, must replay, and must become shorter.</summary>
internal sealed class CanaryRun(Arguments arguments)
{
    /// <summary>Choices that are enough to show any of the planted bugs.</summary>
    private const int ChoicesMax = 4;

    public int Run(IReadOnlyList<Suite> known)
    {
        var explorer = arguments.Explorer();
        var (passed, failed) = (0, 0);
        foreach (var suite in known.Where(suite => suite.MustFail))
        {
            var complaint = Complaint(suite, explorer.Run(suite.Explore, arguments.Apply(suite)), out var found);
            Console.WriteLine(complaint is null ? $"ok     {suite.Name}: found as it must be: {found}" : $"FAILED {suite.Name}: {complaint}");
            if (complaint is null) passed++;
            else failed++;
        }
        if (passed + failed == 0) Console.WriteLine("FAILED: no suite that must fail was found, so nothing proves the alarm");
        Console.WriteLine($"{passed} passed, {failed} failed, 0 skipped");
        return passed > 0 && failed == 0 ? 0 : 1;
    }

    private static string? Complaint(Suite suite, ExploreResult result, out Failure? found)
    {
        found = result.Failures is [var first, ..] ? first : null;
        if (found is null) return $"its bug was not found in {result.Iterations} iterations: the alarm is broken";
        var least = found.Shrunk ?? found.Trace;
        var again = new ScheduleExplorer().Replay(suite.Explore, Trace.Parse(least.ToString()), suite.Options);
        if (again.Failure?.Identity != found.Identity) return $"\"{least}\" does not show \"{found.Message}\" again";
        return least.Decisions.Count > ChoicesMax ? $"\"{least}\" should have been shrunk to {ChoicesMax} choices" : null;
    }
}
