namespace Membership.Cli.Help;

/// <summary>What may follow at one place of a command line; the same for every shell.</summary>
/// <param name="Place">The command's words, each behind a slash; empty for mbr alone.</param>
/// <param name="Commands">Next words.</param>
/// <param name="Values">Values of the positional argument that are known.</param>
/// <param name="TakesFile">The positional argument is a file.</param>
/// <param name="Options">Options of the command.</param>
internal sealed record CompletionWords(
    string Place, IReadOnlyList<(string Word, string Description)> Commands, IReadOnlyList<string> Values, bool TakesFile, IReadOnlyList<OptionShape> Options)
{
    private static readonly OptionShape Help = new("--help", ["-h"], "Show help.", null, [], false);

    /// <summary>Every place of the tree.</summary>
    public static IReadOnlyList<CompletionWords> Of(CommandShape root) => [.. root.All().Select(static command => new CompletionWords(
        PlaceOf(command.Path),
        [.. command.Commands.Select(static child => (child.Name, FirstSentence(child.Description)))],
        [.. command.Arguments.SelectMany(static argument => argument.Choices)],
        command.Arguments.Any(static argument => argument.TakesFile && argument.Choices.Count == 0),
        [.. command.Options.Where(static option => option.Name != Help.Name), Help]))];

    /// <summary>All spellings of the options.</summary>
    public IEnumerable<string> OptionNames => Options.SelectMany(static option => option.Aliases.Prepend(option.Name)).Where(static name => name != "-?" && !name.StartsWith('/'));

    /// <summary>Text up to the end of its first sentence.</summary>
    public static string FirstSentence(string text) =>
        text.IndexOf(". ", StringComparison.Ordinal) is > 0 and var end ? text[..end] : text.TrimEnd('.');

    private static string PlaceOf(string path) => path.Length == 0 ? "" : "/" + path.Replace(' ', '/');
}
