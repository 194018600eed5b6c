namespace Membership.Node;

/// <summary>Which layer a message of the ring is for.</summary>
public static class ServiceId
{
    /// <summary>The raw ring of tools and tests.</summary>
    public const byte Raw = 0;

    /// <summary>Reports and changes of quorum.</summary>
    public const byte Quorum = 1;

    /// <summary>Process groups.</summary>
    public const byte Groups = 2;
}
