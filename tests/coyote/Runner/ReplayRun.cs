using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>One trace, told step by step; with --shrink also the least that fails the same way.</summary>
internal sealed class ReplayRun(Arguments arguments)
{
    public int Run(IReadOnlyList<Suite> known)
    {
        if (arguments.Text("suite") is null || arguments.Choose(known) is not [var suite]) throw new UsageException("--replay needs one --suite NAME");
        if (!Trace.TryParse(arguments.Text("replay")!, out var trace, out var error)) throw new UsageException($"--replay: {error}"); // given, or this is not run
        var options = arguments.Apply(suite);
        var explorer = new ScheduleExplorer();
        var result = explorer.Replay(suite.Explore, trace, options, Console.WriteLine);
        if (result.Left is { } left) Console.WriteLine($"the trace does not fit: {left}; from there on the first answer was given");
        if (result.Failure is not { } failure)
        {
            Console.WriteLine($"{suite.Name}: nothing failed in {result.Steps} steps");
            return 0;
        }
        Console.WriteLine($"{suite.Name}: FAILED at step {failure.Step}: {failure.Message}\n{failure.Details}");
        if (arguments.Has("shrink")) Shrink(suite, options, failure);
        return 1;
    }

    private static void Shrink(Suite suite, ExploreOptions options, Failure failure)
    {
        var shrinker = new Shrinker(suite.Explore, options, failure);
        var least = shrinker.Shrink();
        Console.WriteLine($"{failure.Trace.Decisions.Count} choices became {least.Decisions.Count} in {shrinker.Runs} runs:");
        Console.WriteLine($"--suite {suite.Name} --replay \"{least}\"");
    }
}
