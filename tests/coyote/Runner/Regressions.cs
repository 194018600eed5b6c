using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>Traces that once failed: a line each, the suite's name and the trace.</summary>
internal static class Regressions
{
    private const string FileName = "regressions.txt";

    /// <exception cref="UsageException">A line is no trace, or the file is not there.</exception>
    public static IEnumerable<(string Suite, Trace Trace)> Read(string? path)
    {
        path ??= Path.Combine(AppContext.BaseDirectory, FileName);
        if (!File.Exists(path)) throw new UsageException($"{path} is not there: it holds the traces that once failed, one \"SUITE TRACE\" a line");
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            var text = line.Split('#')[0].Trim();
            if (text.Length == 0) continue;
            var name = text.Split(' ')[0];
            if (!Trace.TryParse(text[name.Length..], out var trace, out var error)) throw new UsageException($"{path}:{number}: {error}");
            yield return (name, trace);
        }
    }
}
