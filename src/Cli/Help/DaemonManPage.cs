namespace Membership.Cli.Help;

/// <summary>membershipd(8). mbr does not contain the daemon, so its options are said again here; a test compares them with membershipd --help.</summary>
internal static class DaemonManPage
{
    /// <summary>Every option with its value and meaning.</summary>
    public static readonly IReadOnlyList<(string Name, string Value, string Meaning)> Options =
    [
        ("--config", "FILE", "The configuration, identical on all nodes (default /etc/membership/membership.yaml)."),
        ("--node", "NAME", "Which node of the configuration this is (default: the host name)."),
        ("--state-dir", "DIR", "This node's memory across restarts (default /var/lib/membership)."),
        ("--socket", "PATH", "Unix socket for clients (default /run/membership/api.sock, or api.socket of the configuration)."),
        ("--page", "HOST:PORT", "Address of the HTTP page: /metrics, /livez, /readyz, /healthz (default: api.page of the configuration, else none)."),
        ("--log-format", "FORMAT", "text, json or systemd (default: systemd below a service manager, else text)."),
        ("--log-level", "LEVEL", "error, warning, information, debug or trace (default information)."),
        ("--accept-new-identity", "", "Start as a new node although the state directory belongs to another one or cannot be read."),
        ("--allow-fault-injection", "", "Open the test transport: clients may drop datagrams and freeze this daemon. Not for production."),
        ("--witness", "", "Be the witness of clusters on a third site, not a node; the configuration is then that of a witness."),
        ("--check-config", "[FILE]", "Check the configuration and end: 0 good, 78 mistakes, all of them printed."),
        ("--effective", "", "With --check-config: print every value that applies, derived ones too."),
        ("--json", "", "With --check-config: print JSON."),
        ("--version", "", "Print the version and end."),
        ("--help", "", "Print a summary of the options and end."),
    ];

    /// <summary>The page.</summary>
    public static string Render()
    {
        var page = ManPages.Begin("membershipd", "daemon of a Membership cluster", section: 8);
        page.Section("SYNOPSIS")
            .Synopsis("membershipd", ["--config FILE", "--node NAME", "[OPTIONS]"])
            .Synopsis("membershipd", ["--check-config [FILE]", "[--node NAME]", "[--effective]", "[--json]"]);
        page.Section("DESCRIPTION")
            .Text("One membershipd runs on every node of a cluster. Together they agree on who is a member, who has quorum, and on one order of messages. " +
                "Programs and mbr(1) reach it by its Unix socket. SIGTERM and SIGINT make it leave the cluster cleanly; SIGHUP makes it read the key file again.")
            .Paragraph("It is ready when it says so to the service manager (sd_notify) and in its log.");
        page.Section("OPTIONS");
        foreach (var (name, value, meaning) in Options)
            page.Term(name, value, meaning);
        ManPages.AddTerms(page, "EXIT STATUS",
        [
            ("0", "It left cleanly."), ("64", "The command line is wrong."), ("65", "The state directory is damaged or belongs to another node or process."),
            ("70", "A defect."), ("74", "A file, socket or disk failed."), ("78", "The configuration or the key file is wrong."),
        ]);
        ManPages.AddTerms(page, "FILES",
        [
            ("/etc/membership/membership.yaml", "The configuration."),
            ("/var/lib/membership", "The state directory, mode 0700."),
            ("/run/membership/api.sock", "The socket."),
        ]);
        return ManPages.SeeAlso(page, ["mbr(1)", "mbr-config(1)", "mbr-key(1)", "mbr-doctor(1)"]);
    }
}
