namespace Membership.Cpg;

/// <summary>The rule for group names: 1 to 255 bytes of valid UTF-8, no control, format, separator, surrogate, private or unassigned character, no space at an end.</summary>
public static class GroupName
{
    /// <summary>Longest name, bytes of UTF-8.</summary>
    public const int BytesMax = 255;

    /// <summary>Null when the name can be used, or one sentence that says what is wrong with it (without repeating it raw).</summary>
    public static string? Check(string name) => throw new NotSupportedException();
}
