using Membership.Daemon.Witness.Rule;
using Membership.Grpc.Tls;

namespace Membership.Daemon.Witness.Client;

/// <summary>How a node talks with its witness.</summary>
/// <param name="Address">host:port, for messages.</param>
/// <param name="Uri">https://host:port.</param>
/// <param name="Tls">Who this node is and whom it believes.</param>
/// <param name="Cluster">Name of the cluster.</param>
/// <param name="NodeName">Name of this node.</param>
/// <param name="Hello">What a session begins with.</param>
/// <param name="NodeVotes">Votes of all configured nodes by their configuration, until quorum says otherwise.</param>
/// <param name="Heuristics">Commands that speak for or against this node's part.</param>
internal sealed record WitnessClientOptions(
    string Address, Uri Uri, TlsFiles Tls, string Cluster, string NodeName, SessionHello Hello, IReadOnlyDictionary<ushort, ulong> NodeVotes, HeuristicsOptions Heuristics)
{
    /// <summary>Time between two attempts to reach the witness.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromMilliseconds(500);
}

/// <summary>Commands a node runs to find out whether it should go on.</summary>
/// <param name="Commands">Each a program and its arguments; no shell in between.</param>
/// <param name="Timeout">A command that takes longer has failed and is killed.</param>
/// <param name="Interval">Between two runs in one view; each new view starts one at once.</param>
internal sealed record HeuristicsOptions(IReadOnlyList<IReadOnlyList<string>> Commands, TimeSpan Timeout, TimeSpan Interval);
