using System.Globalization;

namespace Membership.Virtual;

/// <summary>A mistake of whoever typed the command.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <summary>The words behind a program's name: <c>--name value</c> and <c>--name</c>.</summary>
public sealed class CommandOptions
{
    /// <summary>Exit code of a program that was called wrongly (<c>EX_USAGE</c>).</summary>
    public const int UsageExit = 64;

    private readonly Dictionary<string, string> _values = [];

    private CommandOptions()
    {
    }

    /// <summary>Runs a program; where its words are wrong, says what is and how it is called.</summary>
    /// <param name="words">Behind the program's name.</param>
    /// <param name="withValue">Names of options that a value follows.</param>
    /// <param name="alone">Names of those that stand alone.</param>
    /// <param name="help">How it is called.</param>
    /// <param name="run">The program; returns its exit code.</param>
    public static int Run(string[] words, string[] withValue, string[] alone, string help, Func<CommandOptions, int> run)
    {
        try
        {
            return run(Parse(words, withValue, alone));
        }
        catch (UsageException mistake)
        {
            Console.Error.WriteLine($"{mistake.Message}\n\n{help}");
            return UsageExit;
        }
    }

    public bool Has(string name) => _values.ContainsKey(name);

    /// <summary>The value as it was typed; null without the option.</summary>
    public string? Text(string name) => _values.GetValueOrDefault(name);

    /// <summary>A whole number.</summary>
    public ulong Number(string name, ulong otherwise, ulong min = 0, ulong max = ulong.MaxValue) => Text(name) is { } text ? Number(name, text, min, max) : otherwise;

    /// <summary>A whole number where that is an <see cref="int"/>.</summary>
    public int Count(string name, int otherwise, int min = 0, int max = int.MaxValue) => (int)Number(name, (ulong)otherwise, (ulong)min, (ulong)max);

    /// <summary>Whole numbers with commas between them; null without the option.</summary>
    public IReadOnlyList<ulong>? Numbers(string name, ulong max = ulong.MaxValue) =>
        Text(name) is { } text ? [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(part => Number(name, part, 0, max))] : null;

    /// <summary>A time in units that may have a fraction; null without the option.</summary>
    public TimeSpan? Time(string name, TimeSpan unit)
    {
        if (Text(name) is not { } text) return null;
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number <= TimeSpan.MaxValue / unit / 2
            ? unit * number
            : throw new UsageException($"--{name} {text}: a number from 0 on is needed, such as 1.5");
    }

    private static CommandOptions Parse(string[] words, string[] withValue, string[] alone)
    {
        var options = new CommandOptions();
        for (var i = 0; i < words.Length; i++)
        {
            var name = words[i].StartsWith("--", StringComparison.Ordinal) ? words[i][2..] : "";
            if (alone.Contains(name)) options._values[name] = "";
            else if (!withValue.Contains(name)) throw new UsageException($"{words[i]}: there is no such option");
            else if (i + 1 == words.Length) throw new UsageException($"{words[i]} needs a value");
            else options._values[name] = words[++i];
        }

        return options;
    }

    private static ulong Number(string name, string text, ulong min, ulong max) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--{name} {text}: a whole number from {min} to {max} is needed"));
}
