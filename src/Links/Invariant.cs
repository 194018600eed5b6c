using System.Diagnostics.CodeAnalysis;

namespace Membership.Links;

/// <summary>Statements that can only be false through our own mistake; checked in release builds too.</summary>
public static class Invariant
{
    /// <summary>Stops the node when <paramref name="condition"/> is false.</summary>
    /// <param name="id">The id in docs/protocol/invariants.md.</param>
    /// <exception cref="InvariantBrokenException">The condition is false.</exception>
    public static void Holds([DoesNotReturnIf(false)] bool condition, string id)
    {
        if (!condition) throw new InvariantBrokenException(id);
    }
}

/// <summary>A broken invariant: the node must stop and say which one.</summary>
public sealed class InvariantBrokenException(string id) : Exception($"invariant {id} is broken; see docs/protocol/invariants.md")
{
    /// <summary>The id in docs/protocol/invariants.md.</summary>
    public string Id { get; } = id;
}
