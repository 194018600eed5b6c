using System.Text.RegularExpressions;
using Membership.Links;

namespace Membership.Quorum;

/// <summary>The sentences of verdicts and refusals as people read them: the core knows numbers, its hosts know names.</summary>
public static partial class QuorumSentence
{
    /// <summary>A sentence of the core with names instead of numbers.</summary>
    /// <param name="sentence">As <see cref="QuorumState.Reason"/> has it.</param>
    /// <param name="nameOf">Name of a node; null: it has none and its number stays.</param>
    public static string WithNames(string sentence, Func<NodeId, string?> nameOf)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        return Nodes().Replace(sentence, nodes => nodes.Groups["word"].Value + Number().Replace(nodes.Groups["ids"].Value, Name));

        string Name(Match number) => ushort.TryParse(number.Value, out var id) && nameOf(new NodeId(id)) is { } name ? name : number.Value;
    }

    // As the core writes them: "node 3", "nodes 1, 2 and 3".
    [GeneratedRegex(@"(?<word>\bnodes? )(?<ids>\d+(?:, \d+)*(?: and \d+)?)\b")]
    private static partial Regex Nodes();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();
}
