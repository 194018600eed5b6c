using System.CommandLine;
using Membership.Cli.Errors;
using Membership.Cli.Help;
using Membership.Cli.Text;

namespace Membership.Cli.Commands;

/// <summary><c>mbr man</c>: the manual pages, made from the command tree; one to standard output or all into a folder.</summary>
internal static class ManCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command("man", "Write a manual page (read it with: mbr man mbr-quorum | man -l -), or with --out all of them into a folder.");
        var page = new Argument<string?>("PAGE") { Description = "For example mbr, mbr-status or membershipd (default mbr).", Arity = ArgumentArity.ZeroOrOne };
        var output = new Option<string?>("--out") { Description = "Folder to write all pages to; made when it is not there.", HelpName = "DIR" };
        command.Arguments.Add(page);
        command.Options.Add(output);
        command.SetAction(parse =>
        {
            var pages = ManPages.All(CommandShape.Of(Mbr.Build(host)));
            if (parse.GetValue(output) is { } folder)
                WriteAll(host, folder, pages);
            else
                host.Out.Write(Find(pages, parse.GetValue(page) ?? "mbr"));
            return ExitCode.Ok;
        });
        return command;
    }

    private static string Find(IReadOnlyList<(string File, string Text)> pages, string asked)
    {
        var found = pages.FirstOrDefault(page => page.File == asked || Path.GetFileNameWithoutExtension(page.File) == asked);
        return found.Text ?? throw new CliException(ErrorCatalogue.NoSuchPage, ("page", asked));
    }

    // Made files, so they replace those of an older version.
    private static void WriteAll(CliHost host, string folder, IReadOnlyList<(string File, string Text)> pages)
    {
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var (file, text) in pages)
                File.WriteAllText(Path.Combine(folder, file), text);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ErrorCatalogue.CannotWrite, error, ("file", folder), ("detail", error.Message));
        }
        host.Out.WriteLine(Escape.ForTerminal($"wrote {pages.Count} pages to {folder}"));
    }
}
