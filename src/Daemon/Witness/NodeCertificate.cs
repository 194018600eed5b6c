using System.Security.Cryptography.X509Certificates;
using Membership.Grpc.Tls;

namespace Membership.Daemon.Witness;

/// <summary>The name by which an authority vouches for one node of one cluster: a URI among the alternative names of its certificate.</summary>
internal static class NodeCertificate
{
    /// <summary><c>membership://CLUSTER/node/NAME</c>. Names of clusters and nodes have no slash, so no other pair has the same URI.</summary>
    public static string UriOf(string cluster, string node) => $"membership://{cluster}/node/{node}";

    /// <summary>Null when the certificate is for this node; otherwise what it is for and what it would have to say.</summary>
    public static string? WhyNot(X509Certificate2 certificate, string cluster, string node)
    {
        var wanted = UriOf(cluster, node);
        var names = CertificateNames.Of(certificate);
        if (names.Contains(wanted, StringComparer.Ordinal)) return null;
        var said = names.Count == 0 ? "names nobody" : $"is for {Configuration.Printable.Text(string.Join(", ", names), 200)}";
        return $"the certificate {said}; node {node} of cluster {cluster} needs one with the alternative name URI:{wanted}";
    }
}
