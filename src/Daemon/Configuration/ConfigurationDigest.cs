using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Membership.Daemon.Configuration;

/// <summary>Digest of what must be equal on all nodes; compared when links are set up.</summary>
/// <remarks>Taken over the values, not the bytes of the file: comments, order and <c>1s</c> against <c>1000ms</c> make no difference.
/// Left out is what only one machine sees: the places of keys and certificates, heuristics of the witness, the api and telemetry sections, resources (agreed on elsewhere).</remarks>
internal static class ConfigurationDigest
{
    /// <summary>First eight bytes of the SHA-256 of <see cref="Canonical"/>.</summary>
    public static ulong Of(ClusterConfiguration configuration)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(Canonical(configuration)));
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }

    /// <summary>One line per value, in a fixed order.</summary>
    public static string Canonical(ClusterConfiguration c)
    {
        var text = new StringBuilder("membership 1\n");
        text.Append(CultureInfo.InvariantCulture, $"cluster {c.Cluster}\n");
        text.Append(CultureInfo.InvariantCulture, $"timing {c.Timing.Token.Ticks} {c.Timing.Consensus.Ticks} {c.Timing.LinkDown.Ticks}\n");
        text.Append(CultureInfo.InvariantCulture, $"links {c.LinkPolicy} {string.Join(',', c.LinkPriorities)} {c.DatagramBytesMax}\n");
        text.Append(CultureInfo.InvariantCulture, $"ring {c.Ring.MessageBytesMax} {c.Ring.QueueBytesMax} {c.Ring.WindowBytes} {c.Ring.VisitBytes} {c.Ring.PostTokenBytes} {c.Ring.WindowFrames}\n");
        var q = c.Quorum;
        text.Append(CultureInfo.InvariantCulture, $"quorum {q.Mode} {q.WaitForAll} {q.LastManStandingWindow.Ticks} {q.TieBreaker} {string.Join(',', q.TieBreakerNodes)} {q.AllowDownscale} {q.ExpectedVotes?.ToString(CultureInfo.InvariantCulture) ?? "sum"} {q.TrackExpectedVotes}\n");
        if (q.Witness is { } w)
            text.Append(CultureInfo.InvariantCulture, $"witness {w.Host} {w.Port} {w.Algorithm} {w.Votes} {w.Timeout.Ticks} {w.TieBreaker} {string.Join(',', w.TieBreakerNodes)}\n");
        foreach (var node in c.Nodes)
            text.Append(CultureInfo.InvariantCulture, $"node {node.Id} {node.Name} {node.Votes} {string.Join(' ', node.Links)}\n");
        return text.ToString();
    }
}
