using System.Globalization;

namespace Membership.Grpc.Server.Connections;

/// <summary>How many connections one listener takes.</summary>
/// <param name="Max">In all. Too small: clients are refused; too large: whoever connects and waits fills the memory (about 50 KiB each).</param>
/// <param name="MaxPerSource">From one address, or one user of a Unix socket.</param>
public sealed record ConnectionLimits(int Max = 1024, int MaxPerSource = 128);

/// <summary>Counts the connections of one listener, in all and for each source. Safe for several threads.</summary>
internal sealed class ConnectionGate(ConnectionLimits limits)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _sources = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>Connections now.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _count;
        }
    }

    /// <summary>Counts one more until the result is disposed; null with the reason when a limit is reached.</summary>
    public IDisposable? TryEnter(string source, out string why)
    {
        lock (_gate)
        {
            var ofSource = _sources.GetValueOrDefault(source);
            why = _count >= limits.Max ? Text($"the listener has {limits.Max} connections, its limit")
                : ofSource >= limits.MaxPerSource ? Text($"{source} has {limits.MaxPerSource} connections, the limit of one source")
                : "";
            if (why.Length > 0) return null;
            _sources[source] = ofSource + 1;
            _count++;
            return new Entered(this, source);
        }
    }

    private void Leave(string source)
    {
        lock (_gate)
        {
            _count--;
            if (--_sources[source] == 0) _sources.Remove(source);
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed class Entered(ConnectionGate gate, string source) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) gate.Leave(source);
        }
    }
}
