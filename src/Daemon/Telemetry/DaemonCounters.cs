using System.Collections.Concurrent;
using Membership.Links;

namespace Membership.Daemon.Telemetry;

/// <summary>Counts what happens outside the ring thread. Any thread.</summary>
internal sealed class DaemonCounters(TimeProvider time)
{
    /// <summary>Refused calls are counted by method and role up to this many pairs; further ones together.</summary>
    public const int DeniedMax = 256;

    private readonly ConcurrentDictionary<(string Rpc, string Role), StrongCount> _denied = new();
    private IReadOnlyList<(int, bool)> _keys = [];
    private long _auditDropped;
    private long _diskErrors;
    private long _lastDiskError;

    /// <summary>Calls of clients.</summary>
    public CallMetrics Calls { get; } = new(time);

    /// <summary>Tells until when the certificate is good with which clients of other machines are served; null: none is.</summary>
    public Func<TimeSpan?> CertificateLeft { get; set; } = static () => null;

    /// <summary>Tells how the clients are; set once by whoever serves them.</summary>
    public Func<ClientsNow> Clients { get; set; } = static () => default;

    /// <summary>The keys in use.</summary>
    public IReadOnlyList<(int Id, bool IsActive)> Keys => Volatile.Read(ref _keys);

    /// <summary>Other keys are in use.</summary>
    public void KeysAre(IReadOnlyList<ClusterKey> keys) => Volatile.Write(ref _keys, [.. keys.Select(key => ((int)key.Id, key.Active))]);

    /// <summary>A call was refused for want of a role.</summary>
    public void Denied(string rpc, string role)
    {
        var key = _denied.Count < DeniedMax || _denied.ContainsKey((rpc, role)) ? (rpc, role) : ("", role);
        _denied.GetOrAdd(key, static _ => new StrongCount()).Increment();
    }

    /// <summary>So many lines of the audit log were lost.</summary>
    public void AuditDropped(long lines) => Interlocked.Add(ref _auditDropped, lines);

    /// <summary>The state directory could not be written.</summary>
    public void DiskError()
    {
        Interlocked.Increment(ref _diskErrors);
        Volatile.Write(ref _lastDiskError, Now);
    }

    /// <summary>All of it now.</summary>
    public ClientReading Read()
    {
        return new ClientReading(
            Clients(),
            [.. _denied.OrderBy(pair => pair.Key).Select(pair => (pair.Key.Rpc, pair.Key.Role, pair.Value.Value))],
            Interlocked.Read(ref _auditDropped), Interlocked.Read(ref _diskErrors), Since(ref _lastDiskError), Calls.Read());
    }

    // 0 means never, so that no moment is 0.
    private long Now => Math.Max(1, time.GetTimestamp());

    private TimeSpan? Since(ref long at) => Volatile.Read(ref at) is var then and not 0 ? time.GetElapsedTime(then) : null;

    private sealed class StrongCount
    {
        private long _value;

        public long Value => Interlocked.Read(ref _value);

        public void Increment() => Interlocked.Increment(ref _value);
    }
}

/// <summary>What <see cref="DaemonCounters"/> had counted at one moment.</summary>
internal sealed record ClientReading(
    ClientsNow Now,
    IReadOnlyList<(string Rpc, string Role, long Count)> Denied,
    long AuditDropped,
    long DiskErrors,
    TimeSpan? SinceDiskError,
    CallReading Calls);

/// <summary>The clients of this daemon.</summary>
/// <param name="Connected">Their streams open now.</param>
/// <param name="QueuedBytes">Bytes of group events that sessions have not been given yet.</param>
/// <param name="Gone">Streams that have ended since the start, whoever ended them, those cut off left out.</param>
/// <param name="Cut">Streams that have ended since the start because they were cut off: nobody read them.</param>
/// <param name="SinceCut">Since the last of them was cut off; null: none was.</param>
internal readonly record struct ClientsNow(int Connected, long QueuedBytes, long Gone, long Cut, TimeSpan? SinceCut);
