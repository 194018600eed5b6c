namespace Membership.Links;

/// <summary>One of up to eight links between every pair of nodes, named A to H in the order of the configuration.</summary>
public readonly record struct LinkId(byte Index)
{
    /// <summary>How many links a node can have.</summary>
    public const int Max = 8;

    /// <summary>A to H.</summary>
    public char Name => (char)('A' + Index);

    /// <summary>The letter.</summary>
    public override string ToString() => Name.ToString();
}
