using System.Globalization;

namespace Membership.Bench.Detect;

/// <summary>What to measure.</summary>
/// <param name="Runs">Repetitions of each failure.</param>
/// <param name="Look">How long a fault that must change nothing lasts.</param>
/// <param name="Only">Names in <see cref="Measurements.All"/>.</param>
/// <param name="Nodes">Cluster size.</param>
/// <param name="Timing">Profile.</param>
internal sealed record DetectOptions(int Runs, TimeSpan Look, IReadOnlyList<string> Only, int Nodes, string Timing)
{
    /// <summary>Reads the command line; null when it is wrong.</summary>
    public static DetectOptions? Parse(string[] arguments)
    {
        var options = new DetectOptions(50, TimeSpan.FromSeconds(60), [.. Measurements.All.Keys], 5, "lan");
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (i + 1 == arguments.Length) return null;
            var value = arguments[i + 1];
            _ = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            switch (arguments[i])
            {
                case "--runs" when number > 0: options = options with { Runs = number }; break;
                case "--look" when number > 0: options = options with { Look = TimeSpan.FromSeconds(number) }; break;
                case "--only" when value.Split(',').All(Measurements.All.ContainsKey): options = options with { Only = value.Split(',') }; break;
                case "--nodes" when number is >= 3 and <= 16: options = options with { Nodes = number }; break;
                case "--timing" when value is "lan" or "fast": options = options with { Timing = value }; break;
                default: return null;
            }
        }

        return options;
    }
}
