using System.Text;

namespace Membership.Cli.Help;

/// <summary>Completion for zsh: as for bash, with the descriptions shown beside the words.</summary>
internal static class ZshCompletion
{
    /// <summary>The script.</summary>
    public static string Render(CommandShape root)
    {
        var places = CompletionWords.Of(root);
        var text = new StringBuilder("""
            #compdef mbr
            # zsh completion for mbr, made by: mbr completion zsh
            # use it: source <(mbr completion zsh), or write it to a folder of $fpath as _mbr
            _mbr() {
                local place= i
                local -a commands options
                for ((i = 2; i < CURRENT; i++)); do
                    case "$place/${words[i]}" in

            """);
        text.Append("            ").AppendJoin('|', places.Where(static place => place.Place.Length > 0).Select(static place => place.Place)).Append("""
            ) place="$place/${words[i]}" ;;
                    esac
                done
                case "$place:${words[CURRENT-1]}" in

            """);
        foreach (var place in places)
            foreach (var option in place.Options.Where(static option => option.ValueName is not null))
                text.Append("        ").AppendJoin('|', option.Aliases.Prepend(option.Name).Select(name => $"{place.Place}:{name}"))
                    .Append(") ").Append(Values(option)).Append(" return ;;\n");
        text.Append("""
                esac
                local files=
                case "$place" in

            """);
        foreach (var place in places)
        {
            text.Append("        ").Append(place.Place.Length == 0 ? "''" : place.Place).Append(")\n            commands=(")
                .AppendJoin(' ', place.Commands.Select(static command => Quoted(command.Word, command.Description)).Concat(place.Values.Select(static value => Quoted(value, ""))))
                .Append(")\n            options=(")
                .AppendJoin(' ', place.Options.Select(static option => Quoted(option.Name, CompletionWords.FirstSentence(option.Description))))
                .Append(place.TakesFile ? ")\n            files=1 ;;\n" : ") ;;\n");
        }
        return text.Append("""
                esac
                if [[ $PREFIX == -* || ( ${#commands} -eq 0 && -z $files ) ]]; then
                    _describe -o option options
                else
                    (( ${#commands} )) && _describe command commands
                    [[ -n $files ]] && _files
                fi
            }
            if [[ ${funcstack[1]} == _mbr ]]; then _mbr "$@"; else compdef _mbr mbr; fi

            """).ToString();
    }

    private static string Values(OptionShape option) => option switch
    {
        { Choices.Count: > 0 } => $"compadd -- {string.Join(' ', option.Choices)};",
        { TakesFile: true } => "_files;",
        _ => "_message value;",
    };

    private static string Quoted(string word, string description) =>
        $"'{word.Replace(":", "\\:", StringComparison.Ordinal)}{(description.Length > 0 ? ":" : "")}{description.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
