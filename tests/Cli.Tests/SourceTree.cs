namespace Membership.Cli.Tests;

/// <summary>The repository these tests were built from.</summary>
internal static class SourceTree
{
    /// <summary>Its top folder.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Membership.sln")))
                return at.FullName;
        throw new InvalidOperationException($"no Membership.sln above {AppContext.BaseDirectory}");
    }
}
