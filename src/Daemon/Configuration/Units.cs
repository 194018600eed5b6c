using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Membership.Daemon.Configuration;

/// <summary>Values with units, read strictly and written back in the unit that reads best.</summary>
internal static class Units
{
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    private static readonly (string Unit, long Ticks)[] Durations =
    [
        ("us", TimeSpan.TicksPerMicrosecond), ("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond),
        ("m", TimeSpan.TicksPerMinute), ("h", TimeSpan.TicksPerHour),
    ];

    private static readonly (string Unit, long Bytes)[] Sizes = [("B", 1), ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30)];

    /// <summary>Reads <c>250ms</c>, <c>1.5s</c>: a number and one of us, ms, s, m, h.</summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        var ok = TryWithUnit(text, Durations, out var ticks);
        duration = new TimeSpan(ticks);
        return ok;
    }

    /// <summary>Reads <c>64KiB</c>: a number and one of B, KiB, MiB, GiB.</summary>
    public static bool TrySize(string text, out long bytes) => TryWithUnit(text, Sizes, out bytes);

    /// <summary>Writes a duration as the file would have it.</summary>
    public static string Text(TimeSpan duration) => WithUnit(duration.Ticks, Durations.AsSpan(0, 3));

    /// <summary>Writes a size as the file would have it.</summary>
    public static string Text(long bytes) => WithUnit(bytes, Sizes);

    /// <summary>Reads <c>10.0.0.1:5405</c> or <c>[fd00::1]:5405</c>: never a name, never without port.</summary>
    public static bool TryEndPoint(string text, out IPEndPoint endPoint)
    {
        endPoint = new IPEndPoint(IPAddress.None, 0);
        var colon = text.LastIndexOf(':');
        if (colon <= 0) return false;
        var host = text.AsSpan(0, colon);
        var bracketed = host is ['[', .., ']'];
        if (bracketed) host = host[1..^1];
        if (!ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)) return false;
        if (!TryAddress(host, out var address)) return false;
        if (bracketed != (address.AddressFamily == AddressFamily.InterNetworkV6)) return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }

    /// <summary>Reads a literal address; refuses the forms that the C library would also take, such as <c>10.1</c> or <c>0x7f000001</c>.</summary>
    public static bool TryAddress(ReadOnlySpan<char> text, out IPAddress address)
    {
        address = IPAddress.None;
        if (!IPAddress.TryParse(text, out var parsed)) return false;
        address = parsed;
        return parsed.AddressFamily != AddressFamily.InterNetwork || text.SequenceEqual(parsed.ToString());
    }

    private static bool TryWithUnit(string text, (string Unit, long Factor)[] units, out long value)
    {
        value = 0;
        var digits = text.AsSpan().IndexOfAnyExcept(NumberCharacters);
        if (digits <= 0) return false;
        var factor = Array.Find(units, u => u.Unit.Equals(text[digits..], StringComparison.Ordinal)).Factor;
        if (factor == 0) return false;
        if (!decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        if (number > long.MaxValue / factor || number * factor % 1 != 0) return false;
        value = (long)(number * factor);
        return true;
    }

    private static string WithUnit(long value, ReadOnlySpan<(string Unit, long Factor)> units)
    {
        var best = units[0];
        foreach (var unit in units)
        {
            if (value != 0 && value % unit.Factor == 0) best = unit;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{(decimal)value / best.Factor}{best.Unit}");
    }
}
