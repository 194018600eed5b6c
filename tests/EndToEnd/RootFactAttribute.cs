using Membership.Namespaces;
using Xunit;

namespace Membership.EndToEnd;

/// <summary>A test that needs root and the network tools; where they are missing it is skipped and says so.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    /// <summary>Decides at discovery.</summary>
    /// <param name="moreTools">Further programs the test calls, separated by blanks.</param>
    public RootFactAttribute(string moreTools = "")
    {
        if (Requirements.Missing(moreTools.Split(' ', StringSplitOptions.RemoveEmptyEntries)) is { } reason) Skip = reason;
        Timeout = TestLimitMilliseconds;
    }

    /// <summary>A test that hangs fails instead; no test here takes half as long.</summary>
    private const int TestLimitMilliseconds = 120_000;
}
