using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>Every regression once, then every suite for as long as asked.</summary>
internal sealed class CampaignRun(Arguments arguments)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly JsonArray _reports = [];
    private readonly JsonArray _regressions = [];
    private int _passed;
    private int _failed;
    private long _iterations;
    private long _schedules;

    public int Run(IReadOnlyList<Suite> known)
    {
        var chosen = arguments.Choose(known);
        if (chosen.Count == 0) throw new UsageException("there is no suite to explore: build the runner together with the projects beside it that hold suites");
        var explorer = arguments.Explorer();
        ReplayRegressions(known, chosen);
        foreach (var suite in chosen) One(suite, explorer);
        if (arguments.Has("json"))
        {
            Console.WriteLine(new JsonObject { ["passed"] = _passed, ["failed"] = _failed, ["skipped"] = 0, ["regressions"] = _regressions, ["suites"] = _reports }.ToJsonString(Indented));
            return _failed > 0 ? 1 : 0;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{chosen.Count} suites, {_iterations} iterations, {_schedules} distinct schedules"));
        Console.WriteLine($"{_passed} passed, {_failed} failed, 0 skipped");
        return _failed > 0 ? 1 : 0;
    }

    private void One(Suite suite, IExplorer explorer)
    {
        var options = arguments.Apply(suite);
        var result = explorer.Run(suite.Explore, options);
        _iterations += result.Iterations;
        _schedules += result.DistinctSchedules;
        var complaint = Complaint(suite, result);
        if (complaint is null) _passed++;
        else _failed++;

        var report = JsonNode.Parse(result.ToJson())!.AsObject(); // our own text: an object
        report["suite"] = suite.Name;
        report["complaint"] = complaint;
        _reports.Add(report);
        Say($"{(complaint is null ? "ok    " : "FAILED")} {suite.Name}: {result}");
        if (complaint is null) return;
        Say($"       {complaint}");
        foreach (var failure in result.Failures)
        {
            Say($"       replay: --suite {suite.Name} --replay \"{failure.Shrunk ?? failure.Trace}\"{(arguments.Text("steps") is { } steps ? $" --steps {steps}" : "")}");
            if (failure.Shrunk is not null) Say($"       as found ({failure.Trace.Decisions.Count} choices): \"{failure.Trace}\"");
            Say(Indent(failure.Details));
        }
    }

    /// <summary>What is wrong with the result, or null.</summary>
    private string? Complaint(Suite suite, ExploreResult result)
    {
        if (result.Failures.Count > 0) return $"{result.Failures.Count} different failures; the promise was: {suite.Promise}";
        if (result.Iterations > 0 && result.CutOff == result.Iterations) return $"each of the {result.Iterations} iterations was cut off by the bound on steps: none came to the end it is judged by";
        if (!arguments.MustBeExhausted(suite) || result.Search is not { } search) return null;
        if (!search.IsExhausted) return $"the search should come to its end within {suite.ExhaustedWithin} iterations and did not";
        return search is { IsComplete: false, DelaysMax: 0 } ? $"the search should leave nothing out, and the bound on steps cut off {search.CutOff} iterations" : null;
    }

    private void ReplayRegressions(IReadOnlyList<Suite> known, IReadOnlyList<Suite> chosen)
    {
        foreach (var (name, trace) in Regressions.Read(arguments.Text("regressions")))
        {
            if (known.FirstOrDefault(suite => suite.Name == name) is not { } suite)
            {
                _failed++;
                SayOfRegression($"FAILED regression of {name}: no suite has this name");
                continue;
            }
            if (!chosen.Contains(suite)) continue;
            var result = new ScheduleExplorer().Replay(suite.Explore, trace, arguments.Apply(suite));
            if (result.Failure is { } failure)
            {
                _failed++;
                SayOfRegression($"FAILED regression of {name}: {failure.Message}; --suite {name} --replay \"{trace}\"\n{Indent(failure.Details)}");
            }
            else if (result.Left is { } left)
            {
                _failed++;
                SayOfRegression($"FAILED regression of {name} no longer fits the suite ({left}), so it checks nothing: find it again, or drop the line. \"{trace}\"");
            }
            else
            {
                _passed++;
            }
        }
    }

    private void SayOfRegression(string line)
    {
        _regressions.Add(line);
        Say(line);
    }

    private void Say(string line)
    {
        if (!arguments.Has("json")) Console.WriteLine(line);
    }

    private static string Indent(string text) => string.Join('\n', text.Split('\n').Select(line => "       | " + line.TrimEnd()));
}
