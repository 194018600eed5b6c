namespace Membership;

/// <summary>A test that needs root; skipped, with the reason, without.</summary>
/// <remarks>What runs whole clusters in namespaces needs more, and has an attribute of its own that looks for that.</remarks>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class RootFactAttribute : FactAttribute
{
    /// <param name="why">What the test does that needs root, as <c>mounts a file system</c>.</param>
    public RootFactAttribute(string why)
    {
        if (Environment.UserName != "root") Skip = $"{why}, which needs root";
    }
}
