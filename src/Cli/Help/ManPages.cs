using System.Globalization;
using Membership.Cli.Commands;
using Membership.Cli.Remote;
using Membership.Grpc.Tls;

namespace Membership.Cli.Help;

/// <summary>The manual: mbr(1), one page for each word behind mbr, and membershipd(8). Made from the command tree, so that it cannot say anything else.</summary>
internal static class ManPages
{
    private const string Manual = "Membership";

    private static readonly (string Name, string Meaning)[] Environment =
    [
        ("MBR_SOCKET", "The daemon's socket, or https://HOST:PORT of another machine's daemon, where --socket does not say otherwise."),
        (TlsFiles.AuthoritiesVariable, $"Authorities a remote daemon's certificate is checked against, PEM, where {TlsOptions.AuthoritiesName} does not say otherwise."),
        (TlsFiles.CertificateVariable, $"Your certificate for a remote daemon, PEM, where {TlsOptions.CertificateName} does not say otherwise."),
        (TlsFiles.KeyVariable, $"The key of that certificate, PEM, where {TlsOptions.KeyName} does not say otherwise."),
        ("MBR_DAEMON", "The daemon's program for config check and config show, where it is not beside mbr."),
        ("MBR_DAEMON_UID", "A user number, beside root and oneself, that the daemon may run as."),
        ("MBR_DEBUG", "Any value: an error is followed by the exception behind it."),
        ("NO_COLOR", "Any value: no colour. TERM=dumb has the same effect and stops redrawing."),
    ];

    private static readonly (string Name, string Meaning)[] Files =
    [
        (ConfigCommands.DefaultFile, "The configuration, identical on all nodes."),
        (CommonOptions.DefaultSocket, "The socket of the daemon."),
        ("/var/lib/membership", "What the daemon must remember across restarts."),
    ];

    /// <summary>File name and text of every page.</summary>
    public static IReadOnlyList<(string File, string Text)> All(CommandShape root) =>
    [
        ("mbr.1", Root(root)),
        .. root.Commands.Select(command => ($"mbr-{command.Name}.1", Noun(command))),
        ("membershipd.8", DaemonManPage.Render()),
    ];

    private static string Root(CommandShape root)
    {
        var page = Begin("mbr", root.Description);
        page.Section("SYNOPSIS").Synopsis("mbr", ["[COMMAND]", "[OPTIONS]"]);
        page.Section("DESCRIPTION")
            .Text("mbr asks the daemon of this machine, membershipd(8), and shows the answer: as text for people, or with --json as JSON for programs. " +
                "Without a command it is mbr status. Options stand behind the command.");
        page.Section("COMMANDS");
        foreach (var command in root.All().Where(static command => command is { Runs: true, Path.Length: > 0 }))
            page.Term($"mbr {command.Path}", Arguments(command), command.Description);
        page.Section("OPTIONS OF COMMANDS THAT ASK A DAEMON");
        foreach (var option in root.Options.Where(static option => option.Name is "--json" or "--socket" or "--timeout" or "--tls-ca" or "--tls-cert" or "--tls-key"))
            Add(page, option);
        AddExitCodes(page);
        page.Section("ERRORS").Text("An error is one sentence with a code, then its cause and what to do, on standard error; mbr explain CODE tells more. " +
            "With --json it is one object with the same fields.");
        AddTerms(page, "ENVIRONMENT", Environment);
        AddTerms(page, "FILES", Files);
        return SeeAlso(page, [.. root.Commands.Select(static command => $"mbr-{command.Name}(1)"), "membershipd(8)"]);
    }

    private static string Noun(CommandShape noun)
    {
        var page = Begin($"mbr-{noun.Name}", noun.Description);
        page.Section("SYNOPSIS");
        var verbs = noun.All().Where(static command => command.Runs).ToList();
        foreach (var verb in verbs)
            page.Synopsis($"mbr {verb.Path}", verb.Options.Select(Usage).Append(Arguments(verb)).Where(static part => part.Length > 0));
        page.Section("DESCRIPTION").Text(noun.Description);
        foreach (var verb in verbs)
        {
            if (verb != noun)
                page.Subsection($"mbr {verb.Path}").Text(verb.Description);
            foreach (var argument in verb.Arguments)
                page.Term(argument.Name, "", WithChoices(argument));
            foreach (var option in verb.Options)
                Add(page, option);
        }
        AddExitCodes(page);
        return SeeAlso(page, ["mbr(1)", "membershipd(8)"]);
    }

    /// <summary>Begins a page with its name line.</summary>
    public static Roff Begin(string name, string description, int section = 1) =>
        new Roff(name, section, VersionCommand.Current, Manual).Section("NAME").Text($"{name} - {CompletionWords.FirstSentence(description)}");

    /// <summary>Adds a section of terms.</summary>
    public static void AddTerms(Roff page, string title, IEnumerable<(string Name, string Meaning)> terms)
    {
        page.Section(title);
        foreach (var (name, meaning) in terms)
            page.Term(name, "", meaning);
    }

    /// <summary>Ends a page with its references.</summary>
    public static string SeeAlso(Roff page, IEnumerable<string> pages) => page.Section("SEE ALSO").Text(string.Join(", ", pages)).ToString();

    private static void AddExitCodes(Roff page) =>
        AddTerms(page, "EXIT STATUS", ExitCode.All.Select(static code => (code.Code.ToString(CultureInfo.InvariantCulture), Capital(code.Meaning))));

    private static void Add(Roff page, OptionShape option) =>
        page.Term(string.Join(", ", option.Aliases.Where(static alias => alias != "-?" && !alias.StartsWith('/')).Prepend(option.Name)), option.ValueName ?? "", WithChoices(option));

    private static string WithChoices(OptionShape option) =>
        option.Choices.Count is > 0 and < 12 ? $"{option.Description} One of {string.Join(", ", option.Choices)}." : option.Description;

    private static string Usage(OptionShape option)
    {
        var usage = option.ValueName is null ? option.Name : $"{option.Name} {option.ValueName}";
        return option.IsRequired ? usage : $"[{usage}]";
    }

    private static string Arguments(CommandShape command) =>
        string.Join(' ', command.Arguments.Select(static argument => argument.IsRequired ? argument.Name : $"[{argument.Name}]"));

    private static string Capital(string text) => $"{char.ToUpperInvariant(text[0])}{text[1..]}.";
}
