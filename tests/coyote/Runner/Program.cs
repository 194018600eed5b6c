using System.Globalization;

namespace Membership.Exploration;

/// <summary>Explores suites from a shell.</summary>
internal static class Program
{
    private const int Usage = 64;

    private const string Help = """
        (nothing)                                  every suite and every line of the regressions
        --list                                     names and promises
        --suite NAME[,NAME]                        these alone; NAME may end in * 
          --iterations N  --seconds S              per suite, whichever comes first (default 1000 iterations); what must be exhausted runs to its
                                                   end unless --seconds or --strategy is given
          --strategy X[,X]                         random, pctD, pos, delayD, dfs, dfsD, coverage, portfolio
          --seed B  --jobs J  --all-failures       base seed, threads, go on after a failure
          --no-shrink  --steps N                   failures as found; another bound on steps
          --explorer NAME                          membership, or coyote where it was built with it
          --json                                   the report for programs
        --replay "TRACE" --suite NAME [--shrink]   one run, told step by step; then the least that fails the same way
        --canary                                   the suites that must fail: 0 only when each failure is found, replays and shrinks
        --regressions FILE                         instead of the file beside the program

        Ends with 0 only when nothing failed. The last line is "N passed, N failed, N skipped".
        """;

    public static int Main(string[] args)
    {
        if (Arguments.Parse(args) is not { } arguments)
        {
            Console.Error.WriteLine(Help);
            return Usage;
        }
        var known = SuiteFinder.Find();
        try
        {
            if (arguments.Has("list")) return List(known);
            if (arguments.Has("canary")) return new CanaryRun(arguments).Run(known);
            return arguments.Has("replay") ? new ReplayRun(arguments).Run(known) : new CampaignRun(arguments).Run(known);
        }
        catch (UsageException mistake)
        {
            Console.Error.WriteLine(mistake.Message);
            return Usage;
        }
    }

    private static int List(IReadOnlyList<Explorer.Suite> known)
    {
        foreach (var suite in known)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{suite.Name}  ({suite.Strategies}, up to {suite.StepsMax} steps{(suite.MustFail ? ", must fail" : "")})"));
            Console.WriteLine($"    {suite.Promise}");
        }
        return 0;
    }
}
