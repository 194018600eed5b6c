using Membership.Cli.Remote;
using Membership.Grpc.Tls;

namespace Membership.Cli.Errors;

/// <summary>Every error that <c>mbr</c> itself reports. Codes are never reused; values in braces are filled in where the error arises.</summary>
/// <remarks>MB10xx command line, MB12xx reaching a daemon, MB13xx answers of a daemon, MB15xx streams, MB16xx files, MB17xx the daemon's program, MB18xx benchmarks, MB19xx the demo.</remarks>
internal static class ErrorCatalogue
{
    public static readonly ErrorEntry CommandLine = new("MB1001", ExitCode.Usage,
        "wrong command line: {problem}",
        "the command, an option or a value is not one that mbr knows",
        "see {help}");

    public static readonly ErrorEntry NotADuration = new("MB1002", ExitCode.Usage,
        "{option} is not a duration: {value}",
        "a duration is a number with a unit (us, ms, s, m, h); a number alone counts seconds",
        "write for example {option} 500ms or {option} 3s");

    public static readonly ErrorEntry NotASize = new("MB1003", ExitCode.Usage,
        "{option} is not a size: {value}",
        "a size is a whole number of bytes, or one with a unit (KiB, MiB, kB, MB)",
        "write for example {option} 64 or {option} 16KiB");

    public static readonly ErrorEntry OutOfRange = new("MB1004", ExitCode.Usage,
        "{option} is {value}, allowed is {minimum} to {maximum}",
        "the value is outside of what the program or the protocol can do",
        "choose a value within the limits");

    public static readonly ErrorEntry OptionsExclude = new("MB1005", ExitCode.Usage,
        "{option} and {other} exclude each other",
        "the two ask for different things",
        "leave one of them out");

    public static readonly ErrorEntry SocketPathTooLong = new("MB1006", ExitCode.Usage,
        "the socket path has {length} bytes, the system allows {maximum}: {socket}",
        "Unix socket addresses have a fixed small size",
        "use a shorter path, or change into its folder and give a relative one");

    public static readonly ErrorEntry BadNodeList = new("MB1007", ExitCode.Usage,
        "--nodes is wrong at \"{part}\": {problem}",
        "each node is name=host:port, further links of the same node follow with +",
        "write for example --nodes n1=10.0.0.1:5405,n2=10.0.0.2:5405,n3=10.0.0.3:5405");

    public static readonly ErrorEntry NoPayload = new("MB1008", ExitCode.Usage,
        "nothing to send: no --size or --count, and standard input is a terminal",
        "a payload comes from standard input or is made by --size, --count and --seed",
        "pipe the payload in, or give --size 64");

    public static readonly ErrorEntry BadName = new("MB1009", ExitCode.Usage,
        "{option} is not a name: {value}",
        "names are letters, digits, . _ - (63 at most, a letter or digit first)",
        "choose another name, for example web");

    public static readonly ErrorEntry KeyIdTaken = new("MB1010", ExitCode.Usage,
        "key id {id} is taken by another key",
        "each key of a cluster has its own number from 1 to 255",
        "choose a free number with --id, or leave out the key file that is not used any more");

    public static readonly ErrorEntry NoSuchCode = new("MB1011", ExitCode.NotFound,
        "there is no error code {code}",
        "codes are MB and four digits, and this version has another set",
        "list all with mbr explain");

    public static readonly ErrorEntry NoSuchPage = new("MB1012", ExitCode.NotFound,
        "there is no manual page {page}",
        "there is one for mbr, one for each word behind it (mbr-quorum, mbr-status, ...) and membershipd",
        "list them with mbr man --out DIR, or see mbr man mbr");

    public static readonly ErrorEntry NoSuchNode = new("MB1013", ExitCode.NotFound,
        "there is no node {node}; there are {names}",
        "nodes are named as in the configuration, or by their id",
        "see mbr node list");

    public static readonly ErrorEntry BadGroupName = new("MB1014", ExitCode.Usage,
        "{group} is not the name of a group ({length} bytes)",
        "a name has 1 to {maximum} bytes of UTF-8 and no control characters",
        "see the groups there are with mbr group list");

    public static readonly ErrorEntry OtherNode = new("MB1015", ExitCode.Usage,
        "the daemon at {socket} is that of {self}, not of {node}",
        "a daemon can only be asked where it is",
        "run the command on {node}, or name its socket with --at PATH");

    public static readonly ErrorEntry SocketMissing = new("MB1201", ExitCode.Unreachable,
        "cannot reach the daemon: there is no socket at {socket}",
        "the daemon is not running on this machine, or it listens elsewhere",
        "start it (systemctl start membershipd), or name its socket with --socket PATH or MBR_SOCKET");

    public static readonly ErrorEntry ConnectionRefused = new("MB1202", ExitCode.Unreachable,
        "cannot reach the daemon at {socket}: connection refused",
        "the socket file is there but nobody listens: the daemon has ended without removing it, or is just starting",
        "look at its state (systemctl status membershipd) and its log (journalctl -u membershipd)");

    public static readonly ErrorEntry SocketDenied = new("MB1203", ExitCode.Denied,
        "cannot reach the daemon at {socket}: permission denied",
        "you are {user}; the socket is closed to users without a role, and only root and the daemon's own user have one by themselves",
        "have a role given to you in api.roles of the configuration, which opens the socket too (docs/operating/security.md), or run it as root");

    public static readonly ErrorEntry NotASocket = new("MB1204", ExitCode.Unreachable,
        "cannot reach the daemon: {socket} is {kind}, not a socket",
        "the path does not name the daemon's socket",
        "name the socket with --socket PATH or MBR_SOCKET; the default is {default}");

    public static readonly ErrorEntry NotADaemon = new("MB1205", ExitCode.Unreachable,
        "what answers at {socket} is not a membership daemon: {detail}",
        "another program owns this socket, or a daemon of an incompatible version",
        "find out who listens there (ss -xlp | grep {socket}) and name the right socket with --socket PATH");

    public static readonly ErrorEntry TimedOut = new("MB1206", ExitCode.TimedOut,
        "no answer from the daemon at {socket} within {timeout} ({doing})",
        "the daemon accepts connections but is stalled, frozen or overloaded",
        "try a longer --timeout; if it persists look at the daemon's log and at the load of the machine");

    public static readonly ErrorEntry ConnectFailed = new("MB1207", ExitCode.Unreachable,
        "cannot reach the daemon at {socket}: {detail}",
        "the system refused the connection for the reason above",
        "check the path and the state of the machine");

    public static readonly ErrorEntry ConnectionLost = new("MB1208", ExitCode.Unreachable,
        "the connection to the daemon at {socket} broke: {detail}",
        "the daemon has ended or was restarted while the command ran",
        "look at its log (journalctl -u membershipd) and run the command again");

    public static readonly ErrorEntry ForeignServer = new("MB1209", ExitCode.Denied,
        "the server at {socket} is not trusted: {detail}",
        "whoever may write into the folder of the socket could have put a server of his own there; nothing was sent",
        "if your daemon runs as that user on purpose, set MBR_DAEMON_UID to its user number");

    public static readonly ErrorEntry TlsIncomplete = new("MB1210", ExitCode.Usage,
        "a daemon of another machine is reached with three files; not named: {missing}",
        "mutual TLS needs the authority to believe, your certificate and its key",
        $"give {TlsOptions.AuthoritiesName}, {TlsOptions.CertificateName} and {TlsOptions.KeyName}, or set {TlsFiles.AuthoritiesVariable}, {TlsFiles.CertificateVariable} and {TlsFiles.KeyVariable}");

    public static readonly ErrorEntry TlsFileUnusable = new("MB1211", ExitCode.InputOutput,
        "a certificate or key cannot be used: {detail}",
        "the file is missing, not PEM, or readable by others",
        "correct the file, or make a new one with mbr ca issue");

    public static readonly ErrorEntry ServerUntrusted = new("MB1212", ExitCode.Denied,
        "the server at {socket} is not trusted: {detail}",
        "its certificate is of another authority, for another host, or has ended; nothing was sent",
        "check the address and --tls-ca; the daemon's log tells which certificate it uses");

    public static readonly ErrorEntry CertificateRefused = new("MB1213", ExitCode.Denied,
        "the daemon refused your certificate: {detail}",
        "it has ended, is not for clients, or is of an authority that the daemon does not know",
        "see mbr ca list; the daemon's log (event 6055) has the exact reason");

    public static readonly ErrorEntry Refused = new("MB1301", ExitCode.Denied,
        "the daemon refused: {detail}",
        "your user has no role that allows this",
        "run it as an operator of this cluster, or ask for the role");

    public static readonly ErrorEntry NotFound = new("MB1302", ExitCode.NotFound,
        "not found: {detail}",
        "this cluster has nothing of that name",
        "see the names with mbr node list, mbr view list");

    public static readonly ErrorEntry NotOffered = new("MB1303", ExitCode.Failed,
        "the daemon does not offer this: {detail}",
        "it is older than this mbr, or was started without the feature",
        "compare mbr version with the version in mbr node list");

    public static readonly ErrorEntry WrongState = new("MB1304", ExitCode.BadData,
        "the daemon cannot do this now: {detail}",
        "its state does not allow the operation",
        "see mbr status for its state");

    public static readonly ErrorEntry NotObtained = new("MB1305", ExitCode.NotObtained,
        "not obtained: {detail}",
        "a limit is reached or another holds what was asked for",
        "try again later");

    public static readonly ErrorEntry DaemonFailed = new("MB1306", ExitCode.Failed,
        "the daemon answered with an error: {detail}",
        "the reason is in the sentence above and in the daemon's log",
        "look at its log (journalctl -u membershipd)");

    public static readonly ErrorEntry BadAnswer = new("MB1307", ExitCode.BadData,
        "the answer of the daemon at {socket} breaks the contract: {detail}",
        "this mbr and the daemon do not fit together",
        "compare mbr version with the version in mbr node list, and report it if they are the same");

    public static readonly ErrorEntry StillThere = new("MB1308", ExitCode.TimedOut,
        "{node} was asked to leave and is still there after {limit}",
        "leaving takes up to 5 s, and as long again while clients read their receipts; a frozen daemon does not leave",
        "wait longer with --wait, or look at its log (journalctl -u membershipd)");

    public static readonly ErrorEntry CutOff = new("MB1501", ExitCode.Failed,
        "cut off by the daemon: this reader was too slow ({detail})",
        "messages came faster than this command or what reads its output could take them",
        "make the reader faster, or go on with mbr ring tail --after {resume}");

    public static readonly ErrorEntry SendFailed = new("MB1502", ExitCode.Failed,
        "{failed} of {total} messages were not delivered: {detail}",
        "the ring changed or the daemon refused them; the sentence above has the first reason",
        "see mbr status, then send the failed ones again");

    public static readonly ErrorEntry StreamEnded = new("MB1503", ExitCode.Failed,
        "the daemon at {socket} ended the stream before it was complete",
        "it is shutting down",
        "look at its log (journalctl -u membershipd) and run the command again");

    public static readonly ErrorEntry Interrupted = new("MB1504", ExitCode.Failed,
        "interrupted before the end",
        "a signal stopped the command; what was sent before may still be delivered",
        "run it again if needed");

    public static readonly ErrorEntry GroupCutOff = new("MB1505", ExitCode.Failed,
        "cut off from the group by the daemon: {detail}",
        "events came faster than this command or what reads its output could take them",
        "make the reader faster, or run it again with --after {resume}{boot}");

    public static readonly ErrorEntry GroupRefused = new("MB1506", ExitCode.NotObtained,
        "cannot join the group {group}: {detail}",
        "the daemon gives the reason above",
        "see mbr group list and mbr status, then try again");

    public static readonly ErrorEntry FileExists = new("MB1601", ExitCode.InputOutput,
        "{file} exists and is not overwritten",
        "an overwritten key or configuration could cut a node off from its cluster",
        "choose another name, or remove the file first if it is not used any more");

    public static readonly ErrorEntry CannotWrite = new("MB1602", ExitCode.InputOutput,
        "cannot write {file}: {detail}",
        "the system refused for the reason above",
        "check the path, its permissions and the free space");

    public static readonly ErrorEntry CannotRead = new("MB1603", ExitCode.InputOutput,
        "cannot read {file}: {detail}",
        "the system refused for the reason above",
        "check the path and its permissions");

    public static readonly ErrorEntry BadKeyFile = new("MB1604", ExitCode.BadData,
        "{file}:{line}: {problem}",
        "each line of a key file is: id active|accepted base64 of 32 bytes",
        "give key files that mbr key generate has written");

    public static readonly ErrorEntry OutputFailed = new("MB1605", ExitCode.InputOutput,
        "cannot write the output: {detail}",
        "the file system is full, or what read the output has ended",
        "check where the output goes");

    public static readonly ErrorEntry ImportFailed = new("MB1606", ExitCode.BadData,
        "{file} cannot be imported: {count} mistakes, the first in line {line}: {problem}",
        "what these lines say cannot become a configuration without a decision of yours",
        "repair the lines named above, or decide with --nodes, --address and --cluster");

    public static readonly ErrorEntry DaemonProgramMissing = new("MB1701", ExitCode.InputOutput,
        "cannot find membershipd; looked at {places}",
        "the daemon's program checks the configuration, and it is not installed beside mbr",
        "install it, or name it with MBR_DAEMON=PATH");

    public static readonly ErrorEntry DaemonProgramFailed = new("MB1702", ExitCode.InputOutput,
        "cannot run {program}: {detail}",
        "the file is not a program that this user may run",
        "check its permissions, or name another with MBR_DAEMON=PATH");

    public static readonly ErrorEntry OrderBroken = new("MB1801", ExitCode.Failed,
        "the order is broken: {detail}",
        "a daemon delivered messages of one sender out of order, twice, or with a gap",
        "this must never happen: keep the logs of all daemons and report it");

    public static readonly ErrorEntry NothingMeasured = new("MB1802", ExitCode.Failed,
        "nothing was delivered in the measured {seconds} s",
        "the ring does not pass messages, or no sender runs",
        "see mbr status; with --receive-only start senders elsewhere");

    public static readonly ErrorEntry NoDemoPort = new("MB1901", ExitCode.InputOutput,
        "no port is free on all addresses of a demo of {nodes} nodes (127.0.0.11 and up, 127.0.1.11 and up)",
        "loopback addresses other than 127.0.0.1 are not usable here, or other programs hold every port that was tried",
        "see ss -lntu, or run with fewer --nodes");

    public static readonly ErrorEntry Defect = new("MB1999", ExitCode.Failed,
        "unexpected {kind}: {detail}",
        "a defect of mbr",
        "run it again with MBR_DEBUG=1 and report what it prints");

    /// <summary>All entries, ascending by code.</summary>
    public static IReadOnlyList<ErrorEntry> All { get; } =
    [
        CommandLine, NotADuration, NotASize, OutOfRange, OptionsExclude, SocketPathTooLong, BadNodeList, NoPayload,
        BadName, KeyIdTaken, NoSuchCode, NoSuchPage, NoSuchNode, BadGroupName, OtherNode,
        SocketMissing, ConnectionRefused, SocketDenied, NotASocket, NotADaemon, TimedOut, ConnectFailed, ConnectionLost, ForeignServer,
        TlsIncomplete, TlsFileUnusable, ServerUntrusted, CertificateRefused,
        Refused, NotFound, NotOffered, WrongState, NotObtained, DaemonFailed, BadAnswer, StillThere,
        CutOff, SendFailed, StreamEnded, Interrupted, GroupCutOff, GroupRefused,
        FileExists, CannotWrite, CannotRead, BadKeyFile, OutputFailed, ImportFailed,
        DaemonProgramMissing, DaemonProgramFailed,
        OrderBroken, NothingMeasured,
        NoDemoPort, Defect,
    ];
}
