using System.Text;

namespace Membership.Cli.Help;

/// <summary>Completion for fish: one line for each word, valid at one place of the command tree.</summary>
internal static class FishCompletion
{
    /// <summary>The script.</summary>
    public static string Render(CommandShape root)
    {
        var places = CompletionWords.Of(root);
        var text = new StringBuilder("""
            # fish completion for mbr, made by: mbr completion fish
            # use it: mbr completion fish | source, or write it to ~/.config/fish/completions/mbr.fish
            function __mbr_at
                set -l place ''
                for word in (commandline -opc)[2..-1]
                    switch "$place/$word"
                        case 
            """);
        text.AppendJoin(' ', places.Where(static place => place.Place.Length > 0).Select(static place => place.Place)).Append("""

                            set place "$place/$word"
                    end
                end
                test "$place" = "$argv[1]"
            end
            complete -c mbr -f

            """);
        foreach (var place in places)
        {
            var at = $"complete -c mbr -n '__mbr_at \"{place.Place}\"'";
            foreach (var (word, description) in place.Commands)
                text.Append(at).Append(" -a ").Append(word).Append(" -d ").Append(Quoted(description)).Append('\n');
            if (place.Values.Count > 0)
                text.Append(at).Append(" -a ").Append(Quoted(string.Join(' ', place.Values))).Append('\n');
            if (place.TakesFile)
                text.Append(at).Append(" -F\n");
            foreach (var option in place.Options)
                text.Append(at).Append(Names(option)).Append(Values(option)).Append(" -d ")
                    .Append(Quoted(CompletionWords.FirstSentence(option.Description))).Append('\n');
        }
        return text.ToString();
    }

    private static string Names(OptionShape option) => string.Concat(option.Aliases.Prepend(option.Name).Select(static name =>
        name.StartsWith("--", StringComparison.Ordinal) ? $" -l {name[2..]}" : name is ['-', not '?'] ? $" -s {name[1..]}" : ""));

    private static string Values(OptionShape option) => option switch
    {
        { ValueName: null } => "",
        { Choices.Count: > 0 } => $" -x -a {Quoted(string.Join(' ', option.Choices))}",
        { TakesFile: true } => " -r -F",
        _ => " -x",
    };

    private static string Quoted(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
