using System.Text;

namespace Membership.Cli.Help;

/// <summary>Completion for bash: one function that walks the words typed so far through the command tree.</summary>
internal static class BashCompletion
{
    /// <summary>The script.</summary>
    public static string Render(CommandShape root)
    {
        var places = CompletionWords.Of(root);
        var text = new StringBuilder("""
            # bash completion for mbr, made by: mbr completion bash
            # use it: source <(mbr completion bash), or write it to /usr/share/bash-completion/completions/mbr
            _mbr() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} place= i
                COMPREPLY=()
                for ((i = 1; i < COMP_CWORD; i++)); do
                    case $place/${COMP_WORDS[i]} in

            """);
        text.Append("            ").AppendJoin('|', places.Where(static place => place.Place.Length > 0).Select(static place => place.Place)).Append("""
            ) place=$place/${COMP_WORDS[i]} ;;
                    esac
                done
                case $place:$prev in

            """);
        foreach (var place in places)
            foreach (var option in place.Options.Where(static option => option.ValueName is not null))
                text.Append("        ").Append(Pattern(place, option)).Append(") ").Append(Values(option)).Append(" return ;;\n");
        text.Append("""
                esac
                local commands= options= files=
                case $place in

            """);
        foreach (var place in places)
        {
            text.Append("        ").Append(place.Place.Length == 0 ? "''" : place.Place).Append(") commands='")
                .AppendJoin(' ', place.Commands.Select(static command => command.Word).Concat(place.Values))
                .Append("' options='").AppendJoin(' ', place.OptionNames).Append('\'');
            text.Append(place.TakesFile ? " files=1 ;;\n" : " ;;\n");
        }
        return text.Append("""
                esac
                if [[ $cur == -* || -z $commands$files ]]; then
                    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
                else
                    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur"; [[ -z $files ]] || compgen -f -- "$cur")
                    [[ -z $files ]] || compopt -o filenames 2>/dev/null
                fi
            }
            complete -F _mbr mbr

            """).ToString();
    }

    private static string Pattern(CompletionWords place, OptionShape option) =>
        string.Join('|', option.Aliases.Prepend(option.Name).Select(name => $"{place.Place}:{name}"));

    private static string Values(OptionShape option) => option switch
    {
        { Choices.Count: > 0 } => $"mapfile -t COMPREPLY < <(compgen -W '{string.Join(' ', option.Choices)}' -- \"$cur\");",
        { TakesFile: true } => "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null;",
        _ => "",
    };
}
