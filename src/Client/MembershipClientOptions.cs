using Membership.Grpc.Tls;

namespace Membership.Client;

/// <summary>How a <see cref="MembershipClient"/> reaches its daemon and how patient it is.</summary>
/// <example>
/// <code>
/// var options = new MembershipClientOptions { Endpoint = "unix:///run/membership/api.sock", CallTimeout = TimeSpan.FromSeconds(2) };
/// await using var client = MembershipClient.Create(options);
/// </code>
/// </example>
public sealed record MembershipClientOptions
{
    /// <summary>Where a daemon listens unless told otherwise.</summary>
    public const string DefaultEndpoint = "unix:///run/membership/api.sock";

    /// <summary>The environment variable that names another daemon, as for <c>mbr</c>.</summary>
    public const string EndpointVariable = "MBR_SOCKET";

    /// <summary>Payload of one group's messages that travels in one request when it is ready together, bytes; a larger message travels alone.</summary>
    internal const int GroupBatchBytes = 64 * 1024;

    /// <summary>
    /// A Unix socket as <c>unix:///path</c> or as a plain path, <c>https://host:port</c> of a daemon of another machine (with <see cref="Tls"/>),
    /// or <c>http://host:port</c> (HTTP/2 without TLS: for tests on one machine).
    /// Default: what the environment variable <c>MBR_SOCKET</c> says, otherwise <see cref="DefaultEndpoint"/>.
    /// </summary>
    public string Endpoint { get; set; } = Environment.GetEnvironmentVariable(EndpointVariable) is { Length: > 0 } named ? named : DefaultEndpoint;

    /// <summary>
    /// Certificate, key and authorities for <c>https://</c> endpoints; read for each connection, so that they rotate without a restart.
    /// Default: the files that <see cref="TlsFiles.AuthoritiesVariable"/>, <see cref="TlsFiles.CertificateVariable"/> and <see cref="TlsFiles.KeyVariable"/> name when all are set, as for <c>mbr</c>.
    /// </summary>
    public TlsFiles? Tls { get; set; } = TlsFiles.FromEnvironment(Environment.GetEnvironmentVariable);

    /// <summary>The program's name as operators see it, at most 64 bytes. Default: that of the process.</summary>
    public string ProgramName { get; set; } = AppDomain.CurrentDomain.FriendlyName;

    /// <summary>Bound of a single call. Default 5 s. Too short: calls fail on a loaded machine; too long: a frozen daemon is noticed late.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stream tries to connect for the first time. Default zero: the first failure is thrown.</summary>
    public TimeSpan ConnectFor { get; set; } = TimeSpan.Zero;

    /// <summary>How long a stream that was connected tries to come back before it fails. Default: for ever.</summary>
    public TimeSpan ReconnectFor { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>The pause before the first try; doubled with each further one, less up to a half at random. Default 50 ms.</summary>
    public TimeSpan ReconnectDelayMin { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest pause between tries. Default 2 s. Longer: news comes late after a restart; shorter: many clients wake a daemon at once.</summary>
    public TimeSpan ReconnectDelayMax { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>User ids beside root and the own one that may own the daemon's socket.</summary>
    public IReadOnlyCollection<uint> TrustedServerUsers { get; set; } = [];

    /// <summary>Longest wait for a group message's receipt, the daemon's absence included. Default 30 s.</summary>
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Group messages on their way, of all groups together; sending waits at this bound. Default 4096, at least 1.</summary>
    public int GroupOutstandingMax { get; set; } = 4096;

    /// <summary>Payload of group messages on their way, bytes; sending waits at this bound. Default 16 MiB; a larger message travels alone.</summary>
    public long GroupOutstandingBytesMax { get; set; } = 16 << 20;

    /// <summary>
    /// What of all groups together may have come without having been read, bytes. Default 4 MiB, at least 64 KiB. Smaller: less memory and
    /// throughput; larger: a process that falls behind is cut off later.
    /// </summary>
    public int GroupWindowBytes { get; set; } = 4 << 20;

    /// <summary>
    /// Told of every loss and return of a stream's connection, on the stream's own thread: it must not block. What it throws ends that
    /// stream: a watch throws it, all groups of the client end with it.
    /// </summary>
    public Action<ConnectionState>? ConnectionChanged { get; set; }

    /// <summary>Measures time-outs and pauses; tests give their own.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>All mistakes, one sentence each; empty when the options can be used.</summary>
    public IReadOnlyList<string> Check()
    {
        var mistakes = new List<string>();
        if (!Client.Endpoint.TryParse(Endpoint, out var endpoint, out string? mistake)) mistakes.Add($"{nameof(Endpoint)}: {mistake}");
        if (endpoint is Client.Endpoint.Tls && Tls is null) mistakes.Add($"{nameof(Tls)} is not set; {Endpoint} needs certificates. Set it, or all of {TlsFiles.AuthoritiesVariable}, {TlsFiles.CertificateVariable} and {TlsFiles.KeyVariable}.");
        CheckPositive(mistakes, nameof(CallTimeout), CallTimeout);
        CheckPositive(mistakes, nameof(SendTimeout), SendTimeout);
        CheckPositive(mistakes, nameof(ReconnectDelayMin), ReconnectDelayMin);
        if (ReconnectDelayMax < ReconnectDelayMin) mistakes.Add($"{nameof(ReconnectDelayMax)} is {ReconnectDelayMax}, below {nameof(ReconnectDelayMin)} ({ReconnectDelayMin}).");
        if (ConnectFor < TimeSpan.Zero && ConnectFor != Timeout.InfiniteTimeSpan) mistakes.Add($"{nameof(ConnectFor)} is {ConnectFor}; it must not be negative.");
        if (ReconnectFor < TimeSpan.Zero && ReconnectFor != Timeout.InfiniteTimeSpan) mistakes.Add($"{nameof(ReconnectFor)} is {ReconnectFor}; it must not be negative.");
        if (System.Text.Encoding.UTF8.GetByteCount(ProgramName) > ProgramNameBytesMax) mistakes.Add($"{nameof(ProgramName)} is longer than {ProgramNameBytesMax} bytes.");
        if (GroupOutstandingMax < 1) mistakes.Add($"{nameof(GroupOutstandingMax)} is {GroupOutstandingMax}; it must be at least 1.");
        if (GroupOutstandingBytesMax < 1) mistakes.Add($"{nameof(GroupOutstandingBytesMax)} is {GroupOutstandingBytesMax}; it must be at least 1.");
        if (GroupWindowBytes < GroupWindowBytesMin) mistakes.Add($"{nameof(GroupWindowBytes)} is {GroupWindowBytes}; it must be at least {GroupWindowBytesMin}.");
        return mistakes;
    }

    private const int ProgramNameBytesMax = 64;
    private const int GroupWindowBytesMin = 64 * 1024;

    private static void CheckPositive(List<string> mistakes, string name, TimeSpan value)
    {
        if (value <= TimeSpan.Zero && value != Timeout.InfiniteTimeSpan) mistakes.Add($"{name} is {value}; it must be positive.");
    }
}

/// <summary>What became of a stream's connection to its daemon.</summary>
/// <param name="IsConnected">False: what the stream gave last may be out of date.</param>
/// <param name="Failure">Why the connection was lost; null when it is there.</param>
/// <param name="RetryIn">The pause before the next try; zero when connected.</param>
/// <example>
/// <code>
/// ConnectionChanged = state => Console.Error.WriteLine(state.IsConnected ? "connected" : state.Failure!.Message)
/// </code>
/// </example>
public sealed record ConnectionState(bool IsConnected, MembershipException? Failure, TimeSpan RetryIn);
