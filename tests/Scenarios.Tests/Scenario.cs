using System.Text;

namespace Membership.Scenarios.Tests;

/// <summary>A scenario file: comment lines, then blocks of commands, <c>----</c> and the output they must give.</summary>
public sealed record Scenario(string Head, IReadOnlyList<ScenarioBlock> Blocks)
{
    private const string Divider = "----";

    /// <summary>Reads a file. Blocks are divided by blank lines.</summary>
    /// <exception cref="FormatException">The first line does not say what the scenario shows.</exception>
    public static Scenario Parse(string text)
    {
        if (!text.StartsWith("# ", StringComparison.Ordinal)) throw new FormatException("the first line says what the scenario shows: '# ...'");
        var lines = text.Split('\n');
        var head = lines.TakeWhile(line => line.StartsWith('#')).ToList();
        var blocks = new List<ScenarioBlock>();
        var commands = new List<string>();
        List<string>? expected = null;
        foreach (var line in lines.Skip(head.Count).Append(""))
        {
            if (line == Divider) expected = [];
            else if (line.Length > 0) (expected ?? commands).Add(line);
            else if (expected is not null || commands.Count > 0)
            {
                blocks.Add(new ScenarioBlock(commands, expected ?? []));
                (commands, expected) = ([], null);
            }
        }
        return new Scenario(string.Join('\n', head), blocks);
    }

    /// <summary>The file with the outputs that were really given.</summary>
    public string Rewrite(IReadOnlyList<IReadOnlyList<string>> outputs)
    {
        var text = new StringBuilder(Head).Append('\n');
        for (var i = 0; i < Blocks.Count; i++)
        {
            if (i > 0) text.Append('\n');
            foreach (var line in Blocks[i].Commands.Append(Divider).Concat(outputs[i])) text.Append(line).Append('\n');
        }
        return text.ToString();
    }
}

/// <summary>Commands, and what they must print.</summary>
public sealed record ScenarioBlock(IReadOnlyList<string> Commands, IReadOnlyList<string> Expected);
