using System.CommandLine;
using System.Globalization;
using System.Numerics;
using Membership.Cli.Errors;
using Membership.Cli.Text;

namespace Membership.Cli;

/// <summary>Reads option values with units and limits; what is wrong is a usage error with the value and the limit.</summary>
internal static class Values
{
    /// <summary>A duration within limits.</summary>
    public static TimeSpan Duration(ParseResult parse, Option<string> option, TimeSpan minimum, TimeSpan maximum)
    {
        var text = parse.GetRequiredValue(option);
        if (!Durations.TryParse(text, out var duration))
            throw new CliException(ErrorCatalogue.NotADuration, ("option", option.Name), ("value", text));
        if (duration < minimum || duration > maximum)
            throw OutOfRange(option.Name, text, Durations.Format(minimum), Durations.Format(maximum));
        return duration;
    }

    /// <summary>A size in bytes within limits.</summary>
    public static int Size(string option, string text, int minimum, int maximum)
    {
        if (!Durations.TryParseSize(text, out var bytes))
            throw new CliException(ErrorCatalogue.NotASize, ("option", option), ("value", text));
        if (bytes < minimum || bytes > maximum)
            throw OutOfRange(option, text, Number(minimum), Number(maximum));
        return (int)bytes;
    }

    /// <summary>A number within limits.</summary>
    public static T Within<T>(ParseResult parse, Option<T> option, T minimum, T maximum) where T : struct, INumber<T> =>
        Within(option.Name, parse.GetValue(option), minimum, maximum);

    /// <summary>A number within limits.</summary>
    public static T Within<T>(string option, T value, T minimum, T maximum) where T : struct, INumber<T>
    {
        if (!(value >= minimum && value <= maximum)) // also refuses NaN
            throw OutOfRange(option, Number(value), Number(minimum), Number(maximum));
        return value;
    }

    private static string Number<T>(T value) where T : INumber<T> => value.ToString(null, CultureInfo.InvariantCulture);

    private static CliException OutOfRange(string option, string value, string minimum, string maximum) =>
        new(ErrorCatalogue.OutOfRange, ("option", option), ("value", value), ("minimum", minimum), ("maximum", maximum));
}
