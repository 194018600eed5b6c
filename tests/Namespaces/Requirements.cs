namespace Membership.Namespaces;

/// <summary>What the machine must offer before a cluster in namespaces can run.</summary>
public static class Requirements
{
    private static readonly string[] Tools = ["ip", "nft", "mount", "umount"];

    /// <summary>Null when everything is there; otherwise one sentence naming what is missing.</summary>
    public static string? Missing(params ReadOnlySpan<string> moreTools)
    {
        if (!OperatingSystem.IsLinux()) return "network namespaces exist on Linux only";
        if (Environment.UserName != "root" && !IsRoot()) return "network namespaces need root";
        string[] wanted = [.. Tools, .. moreTools];
        var absent = wanted.Where(tool => Command.Find(tool) is null).ToArray();
        if (absent.Length > 0) return $"not installed: {string.Join(", ", absent)}";
        return MayCreateNamespaces.Value ? null : "this environment does not allow network namespaces";
    }

    private static readonly Lazy<bool> MayCreateNamespaces = new(() => Command.Execute("unshare", "--net", "true").Code == 0);

    private static bool IsRoot() => Native.EffectiveUser() == 0;
}
