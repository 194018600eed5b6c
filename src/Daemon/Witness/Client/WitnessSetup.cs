using Membership.Daemon.Configuration;
using Membership.Daemon.Ring;
using Membership.Daemon.Witness.Rule;
using Membership.Grpc.Tls;
using Membership.Links;
using Membership.Quorum;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Witness.Client;

/// <summary>From a node's configuration to its client of the witness.</summary>
internal static class WitnessSetup
{
    /// <summary>Between two runs of the heuristics in one view; each new view starts one at once.</summary>
    private static readonly TimeSpan HeuristicsInterval = TimeSpan.FromSeconds(10);

    /// <summary>Refuses a start with certificates that the witness would refuse.</summary>
    /// <exception cref="StartException">78: they cannot be used, or are for another node.</exception>
    public static void Check(ClusterConfiguration configuration, NodeConfiguration self)
    {
        if (configuration.Quorum.Witness is not { } witness) return;
        try
        {
            if (NodeCertificate.WhyNot(TlsIdentity.Load(FilesOf(witness)).Certificate, configuration.Cluster, self.Name) is { } wrong)
                throw new StartException(ExitCode.Configuration, $"{witness.CertificateFile}: {wrong}");
        }
        catch (TlsFileException unusable)
        {
            throw new StartException(ExitCode.Configuration, unusable.Message);
        }
    }

    /// <summary>The client of a node whose configuration names a witness; null without one.</summary>
    public static WitnessClient? Create(ClusterConfiguration configuration, NodeConfiguration self, BootId boot, WitnessFeed feed, RingHost host, ILogger logger)
    {
        if (configuration.Quorum.Witness is not { } witness) return null;
        var options = new WitnessClientOptions(
            witness.Host.Contains(':', StringComparison.Ordinal) ? $"[{witness.Host}]:{witness.Port}" : $"{witness.Host}:{witness.Port}",
            new UriBuilder(Uri.UriSchemeHttps, witness.Host, witness.Port).Uri,
            FilesOf(witness),
            configuration.Cluster,
            self.Name,
            HelloOf(configuration, witness, self, boot),
            configuration.Nodes.ToDictionary(node => node.Id.Value, node => node.Votes),
            new HeuristicsOptions(witness.HeuristicsCommands, witness.HeuristicsTimeout, HeuristicsInterval));
        return new WitnessClient(options, feed, cancel => host.QueryAsync(_ => true, cancel), host.TellWitnessAsync, logger);
    }

    /// <summary>The lease of a configuration: its timeout, but at least twice the time in which a view settles, because a witness that was restarted is quiet for that long.</summary>
    public static TimeSpan LeaseOf(TimeSpan timeout, TimeSpan settle)
    {
        var lease = timeout > settle * 2 ? timeout : settle * 2;
        if (lease < WitnessCodec.LeaseMin) return WitnessCodec.LeaseMin;
        return lease > WitnessCodec.LeaseMax ? WitnessCodec.LeaseMax : lease;
    }

    private static SessionHello HelloOf(ClusterConfiguration configuration, WitnessConfiguration witness, NodeConfiguration self, BootId boot)
    {
        var settle = configuration.Timing.DetectionWorstCase;
        var tie = witness.TieBreaker is TieBreakerKind.None ? WitnessTieBreaker.Lowest : new WitnessTieBreaker(witness.TieBreaker, witness.TieBreakerNodes);
        return new SessionHello(self.Id, boot.Short, WitnessCodec.Digest(configuration.Digest), witness.Algorithm, witness.Votes, tie, LeaseOf(witness.Timeout, settle), settle);
    }

    private static TlsFiles FilesOf(WitnessConfiguration witness) => new() { Authorities = witness.CaFile, Certificate = witness.CertificateFile, Key = witness.KeyFile };
}
