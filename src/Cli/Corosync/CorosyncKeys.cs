namespace Membership.Cli.Corosync;

/// <summary>Why a line of corosync.conf has no counterpart, and what is there instead.</summary>
internal static class CorosyncKeys
{
    private const string Encrypted = "every datagram is encrypted and authenticated (AES-256-GCM), always; the key is new";
    private const string Timers = "derived from timing; there is nothing to tune";
    private const string PathMtu = "the path MTU is probed for each link";
    private const string Unicast = "links are UDP unicast to the addresses in nodes";
    private const string Logs = "the log goes to standard error, so to the journal; see --log-format and --log-level of membershipd";
    private const string Sockets = "clients reach the daemon by its Unix socket";

    private static readonly Dictionary<string, string> Reasons = new(StringComparer.Ordinal)
    {
        ["totem.version"] = "the only version corosync knows",
        ["totem.config_version"] = "the configurations of all nodes are compared by a digest of their values",
        ["totem.transport"] = Unicast + ", up to eight of them",
        ["totem.crypto_model"] = Encrypted,
        ["totem.crypto_cipher"] = Encrypted,
        ["totem.crypto_hash"] = Encrypted,
        ["totem.crypto_type"] = Encrypted,
        ["totem.secauth"] = Encrypted,
        ["totem.keyfile"] = Encrypted,
        ["totem.key"] = "a key does not belong into this file, and a new one was made",
        ["totem.ip_version"] = "the addresses say whether they are IPv4 or IPv6",
        ["totem.ip_dscp"] = "datagrams are not marked",
        ["totem.netmtu"] = PathMtu,
        ["totem.nodeid"] = "the configuration is the same on all nodes; membershipd --node says which one it is",
        ["totem.clear_node_high_bit"] = "ids are numbers from 1 to 65535",
        ["totem.block_unlisted_ips"] = "datagrams are taken from configured nodes only, always",
        ["totem.rrp_mode"] = "link_policy is passive: the link with the highest priority carries, the others take over",
        ["totem.threads"] = "one thread serves the ring",
        ["totem.window_size"] = "the window counts bytes (ring.window) and its default fits",
        ["totem.max_messages"] = "a visit of the token is limited in bytes (ring.visit) and its default fits",
        ["totem.token_warning"] = "a late token is logged when it is lost",
        ["totem.interface.knet_transport"] = Unicast,
        ["totem.interface.bindnetaddr"] = "each node's own addresses are in nodes",
        ["totem.interface.mcastaddr"] = Unicast,
        ["totem.interface.broadcast"] = Unicast,
        ["totem.interface.ttl"] = Unicast,
        ["quorum.provider"] = "quorum is always there",
        ["quorum.device.sync_timeout"] = "the witness has one timeout",
        ["system.sched_rr"] = "the ring thread asks for nice value -15, which does as well on the machines measured",
        ["system.priority"] = "the ring thread asks for nice value -15",
        ["system.qb_ipc_type"] = Sockets,
        ["system.state_dir"] = "membershipd --state-dir DIR, by default /var/lib/membership",
    };

    private static readonly (string Prefix, string Reason)[] Families =
    [
        ("totem.interface.knet_ping", Timers + ": a link is down after 0.6 x token"),
        ("totem.interface.knet_pong", Timers + ": a link is down after 0.6 x token"),
        ("totem.knet_compression", "messages are not compressed"),
        ("totem.knet_pmtud", PathMtu),
        ("totem.knet_mtu", PathMtu),
        ("totem.knet_", Timers),
        ("totem.token", Timers),
        ("totem.interface.", "this version has no such setting for a link"),
        ("totem.", Timers),
        ("logging", Logs),
        ("resources", "a watchdog belongs to the service manager (WatchdogSec= of the unit)"),
        ("nozzle", "there is no tap device"),
        ("uidgid", Sockets + "; who may do what is decided by roles"),
        ("quorum.device.net.tls", "sessions with the witness always use TLS 1.3 with certificates on both sides"),
        ("quorum.device", "the witness has no such setting"),
        ("quorum.", "quorum has no such setting"),
        ("nodelist.", "a node has no such setting"),
        ("service", "there are no loadable services"),
        ("aisexec", "the daemon runs as the user its unit names"),
        ("amf", "there is no such service"),
        ("system", "there is no such setting"),
    ];

    /// <summary>One sentence for the line <paramref name="path"/>, for example totem.crypto_hash.</summary>
    public static string ReasonOf(string path)
    {
        if (Reasons.TryGetValue(path, out var reason))
            return reason;
        foreach (var (prefix, family) in Families)
            if (path.StartsWith(prefix, StringComparison.Ordinal))
                return family;
        return "corosync ignores this line too, or it is new; nothing was made of it";
    }
}
