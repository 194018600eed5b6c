using System.Runtime.CompilerServices;

namespace Membership.Explorer;

/// <summary>The text of an assertion, put together only when the assertion fails.</summary>
[InterpolatedStringHandler]
public ref struct AssertionText
{
    private DefaultInterpolatedStringHandler _text;

    /// <summary>Called by the compiler: <paramref name="isNeeded"/> is false when the condition holds.</summary>
    public AssertionText(int literalLength, int formattedCount, bool condition, out bool isNeeded)
    {
        isNeeded = !condition;
        _text = isNeeded ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    /// <summary>Called by the compiler.</summary>
    public void AppendLiteral(string value) => _text.AppendLiteral(value);

    /// <summary>Called by the compiler.</summary>
    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    /// <summary>Called by the compiler.</summary>
    public void AppendFormatted<T>(T value, string? format) => _text.AppendFormatted(value, format);

    /// <summary>The whole text.</summary>
    public override string ToString() => _text.ToStringAndClear();
}
