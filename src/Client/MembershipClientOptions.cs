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

    /// <summary>A Unix socket as <c>unix:///path</c> or as a plain path, or <c>http://host:port</c> (HTTP/2 without TLS: for tests on one machine).</summary>
    public string Endpoint { get; init; } = DefaultEndpoint;

    /// <summary>Bound of a single call. Default 5 s. Too short: calls fail on a loaded machine; too long: a frozen daemon is noticed late.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stream tries to connect for the first time. Default zero: the first failure is thrown.</summary>
    public TimeSpan ConnectFor { get; init; } = TimeSpan.Zero;

    /// <summary>How long a stream that was connected tries to come back before it fails. Default: for ever.</summary>
    public TimeSpan ReconnectFor { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>The pause before the first try; doubled with each further one, less up to a half at random. Default 50 ms.</summary>
    public TimeSpan ReconnectDelayMin { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest pause between tries. Default 2 s. Longer: news comes late after a restart; shorter: many clients wake a daemon at once.</summary>
    public TimeSpan ReconnectDelayMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>User ids beside root and the own one that may own the daemon's socket.</summary>
    public IReadOnlyCollection<uint> TrustedServerUsers { get; init; } = [];

    /// <summary>Told of every loss and return of a stream's connection, on the stream's own thread: it must not block.</summary>
    public Action<ConnectionState>? ConnectionChanged { get; init; }

    /// <summary>Measures time-outs and pauses; tests give their own.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
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
