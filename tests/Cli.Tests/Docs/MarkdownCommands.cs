using System.Globalization;
using System.Text.RegularExpressions;

namespace Membership.Cli.Tests.Docs;

/// <summary>A command line of a document.</summary>
/// <param name="Line">In the document, from 1.</param>
/// <param name="Machines">Where it is typed.</param>
/// <param name="Text">What is typed.</param>
/// <param name="ExitCodes">What it may end with.</param>
internal sealed record DocumentCommand(int Line, IReadOnlyList<string> Machines, string Text, IReadOnlyList<int> ExitCodes)
{
    /// <summary>What it prints, but for numbers that differ from run to run: the picture behind its fence; null where there is none.</summary>
    public string? Picture { get; init; }
}

/// <summary>The fenced commands of a document: ```sh MACHINE..., one command a line, "# exits N" behind one that does not end with 0; a ```text fence is what the last command before it prints.</summary>
internal static partial class MarkdownCommands
{
    /// <summary>All commands in order; a fence that is neither commands nor a picture (text, yaml) is an error of the document.</summary>
    public static IReadOnlyList<DocumentCommand> Read(string document)
    {
        var commands = new List<DocumentCommand>();
        string[]? machines = null;
        List<string>? picture = null;
        var inFence = false;
        foreach (var (line, index) in document.Split('\n').Select(static (line, index) => (line, index)))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                var words = line[3..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (!inFence && !(words is ["text"] or ["yaml"] or ["sh", _, ..]))
                    throw new FormatException($"line {index + 1}: a fence is ```sh MACHINE..., ```text or ```yaml, not {line}");
                if (picture is not null && commands is [.., var shown]) commands[^1] = shown with { Picture = string.Join('\n', picture) };
                machines = !inFence && words[0] == "sh" ? words[1..] : null;
                picture = !inFence && words[0] == "text" ? [] : null;
                inFence = !inFence;
            }
            else if (picture is not null) picture.Add(line);
            else if (machines is not null && line.Trim().Length > 0)
                commands.Add(new DocumentCommand(index + 1, machines, Comment().Replace(line, ""), Codes(line)));
        }
        return commands;
    }

    private static List<int> Codes(string line)
    {
        var found = Exits().Match(line);
        return found.Success ? [.. found.Groups["code"].Captures.Select(static code => int.Parse(code.Value, CultureInfo.InvariantCulture))] : [0];
    }

    [GeneratedRegex(@"\s+# .*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"# exits (?<code>\d+)( or (?<code>\d+))*")]
    private static partial Regex Exits();
}
