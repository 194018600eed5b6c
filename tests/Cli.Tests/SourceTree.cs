namespace Membership.Cli.Tests;

/// <summary>The repository these tests were built from.</summary>
internal static class SourceTree
{
    /// <summary>Its top folder.</summary>
    public static string Root { get; } = Find();

    /// <summary>The daemon of the same build.</summary>
    public static string Daemon { get; } =
        Path.Combine(Root, "src/Daemon/bin", Path.GetRelativePath(Path.Combine(Root, "tests/Cli.Tests/bin"), AppContext.BaseDirectory), "membershipd");

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Membership.sln")))
                return at.FullName;
        throw new InvalidOperationException($"no Membership.sln above {AppContext.BaseDirectory}");
    }
}
