using System.CommandLine;
using System.CommandLine.Completions;

namespace Membership.Cli.Help;

/// <summary>What completion and manual pages need of an option or argument.</summary>
/// <param name="Name">With its dashes.</param>
/// <param name="Aliases">Other spellings.</param>
/// <param name="Description">One sentence or more.</param>
/// <param name="ValueName">What stands for the value in help; null: it takes none.</param>
/// <param name="Choices">The only values there are, or the likely ones.</param>
/// <param name="IsRequired">The command refuses to run without it.</param>
internal sealed record OptionShape(
    string Name, IReadOnlyList<string> Aliases, string Description, string? ValueName, IReadOnlyList<string> Choices, bool IsRequired)
{
    private static readonly string[] FileWords = ["FILE", "PATH", "DIR", "SOCK"];

    /// <summary>Its value is the name of a file or folder.</summary>
    public bool TakesFile => ValueName is { } name && FileWords.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase));
}

/// <summary>The command tree as plain data, read once from the commands that are really there.</summary>
/// <param name="Path">Words behind <c>mbr</c>; empty for the root.</param>
/// <param name="Description">What it does.</param>
/// <param name="Runs">False: it only groups others.</param>
/// <param name="Options">Its own and inherited ones.</param>
/// <param name="Arguments">In order.</param>
/// <param name="Commands">Below it, in the order of the help.</param>
internal sealed record CommandShape(
    string Path, string Description, bool Runs, IReadOnlyList<OptionShape> Options, IReadOnlyList<OptionShape> Arguments, IReadOnlyList<CommandShape> Commands)
{
    /// <summary>The last word.</summary>
    public string Name => Path[(Path.LastIndexOf(' ') + 1)..];

    /// <summary>Reads the tree.</summary>
    public static CommandShape Of(RootCommand root) => Of(root, "");

    /// <summary>This command and everything below it.</summary>
    public IEnumerable<CommandShape> All() => Commands.SelectMany(static command => command.All()).Prepend(this);

    private static CommandShape Of(Command command, string path) => new(
        path,
        command.Description ?? "",
        command.Action is not null,
        [.. command.Options.Where(static option => !option.Hidden).Select(Of)],
        [.. command.Arguments.Where(static argument => !argument.Hidden).Select(Of)],
        [.. command.Subcommands.Where(static child => !child.Hidden).Select(child => Of(child, path.Length == 0 ? child.Name : $"{path} {child.Name}"))]);

    private static OptionShape Of(Option option)
    {
        var isFlag = option.ValueType == typeof(bool) || option.Arity.MaximumNumberOfValues == 0;
        return new OptionShape(
            option.Name,
            [.. option.Aliases.Where(alias => alias != option.Name && alias.StartsWith('-')).Order(StringComparer.Ordinal)],
            option.Description ?? "",
            isFlag ? null : option.HelpName ?? "VALUE",
            isFlag ? [] : Choices(option),
            option.Required);
    }

    private static OptionShape Of(Argument argument) =>
        new(argument.HelpName ?? argument.Name, [], argument.Description ?? "", argument.HelpName ?? argument.Name, Choices(argument), argument.Arity.MinimumNumberOfValues > 0);

    private static string[] Choices(Symbol symbol) =>
        [.. symbol.GetCompletions(CompletionContext.Empty).Select(static item => item.Label).Where(static label => !label.StartsWith('-'))];
}
