using System.Globalization;

namespace Membership.Cli.Demo;

/// <summary>How the demo writes nodes, counts and hashes.</summary>
internal static class DemoText
{
    /// <summary>"n1 n2 n3"</summary>
    public static string Nodes(IEnumerable<int> nodes) => string.Join(' ', nodes.Select(node => $"n{node}"));

    /// <summary>"12 345"</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture).Replace(',', ' ');

    /// <summary>The first 8 hex digits of a hash.</summary>
    public static string Hash(ulong hash) => hash.ToString("x16", CultureInfo.InvariantCulture)[..8];

    /// <summary>What remains to be said when the demo has ended.</summary>
    public static string Summary(ClusterPicture picture) =>
        $"{Count(picture.Order.Confirmed)} messages compared between nodes in {picture.Elapsed.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} s, " +
        (picture.Order.DifferenceCount == 0 ? "no difference" : $"DIFFERENT: {picture.Order.Differences[0]}");

    /// <summary>The one line that says whether the nodes of a component deliver one order.</summary>
    public static string Order(ComponentOrder component, OrderBook book)
    {
        if (book.DifferenceCount > 0) return $"order: DIFFERENT ({Count(book.DifferenceCount)} differences): {book.Differences[0]}";
        var nodes = component.Nodes.Count == 1 ? $"{Nodes(component.Nodes)} alone" : $"identical on {component.Nodes.Count} nodes ({Nodes(component.Nodes)})";
        return $"order: {nodes}, {Count(component.Common)} messages in this view, hash {Hash(component.Hash)}";
    }
}
