using System.Runtime.CompilerServices;

namespace Membership.Repo.Tests;

/// <summary>The files of this repository, as the tests read them: sources and documents, nothing that a build made.</summary>
internal static class Repository
{
    private static readonly string[] BuiltFolders = ["bin", "obj", ".git", ".build", "artifacts", "node_modules", "TestResults", "__pycache__", ".venv"];
    private static readonly string[] TextExtensions =
    [
        ".cs", ".csproj", ".props", ".targets", ".sln", ".json", ".md", ".proto", ".sh", ".txt", ".yml", ".yaml", ".html", ".css", ".js",
        ".ts", ".py", ".service", ".conf", ".1", ".5", ".7", ".8", ".toml", ".editorconfig", ".gitignore", ".gitattributes", "",
    ];

    /// <summary>The folder that holds Membership.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Every text file, as a path relative to <see cref="Root"/> with forward slashes, in order.</summary>
    public static IReadOnlyList<string> TextFiles { get; } =
        [.. Walk(Root).Where(path => TextExtensions.Contains(Path.GetExtension(path))).Select(Relative).Order(StringComparer.Ordinal)];

    /// <summary>Every text file below <paramref name="folder"/> with the extension.</summary>
    public static IEnumerable<string> Files(string folder, string extension) =>
        TextFiles.Where(path => path.StartsWith(folder + "/", StringComparison.Ordinal) && path.EndsWith(extension, StringComparison.Ordinal));

    /// <summary>The content of one file of the repository.</summary>
    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>The lines of one file of the repository.</summary>
    public static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    /// <summary>Does the file or folder exist?</summary>
    public static bool Has(string path) => File.Exists(Path.Combine(Root, path)) || Directory.Exists(Path.Combine(Root, path));

    private static string Relative(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    private static IEnumerable<string> Walk(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder)) yield return file;
        foreach (var child in Directory.EnumerateDirectories(folder))
        {
            if (BuiltFolders.Contains(Path.GetFileName(child)) || new DirectoryInfo(child).LinkTarget is not null) continue;
            foreach (var file in Walk(child)) yield return file;
        }
    }

    private static string FindRoot([CallerFilePath] string thisFile = "")
    {
        for (var folder = Path.GetDirectoryName(thisFile); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Membership.sln"))) return folder;
        }

        throw new DirectoryNotFoundException($"no Membership.sln above {thisFile}: the tests read the sources they were built from");
    }
}
