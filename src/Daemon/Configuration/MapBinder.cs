using System.Globalization;

namespace Membership.Daemon.Configuration;

/// <summary>Reads the keys of one map by the types of the fields they are for, and reports every key that is unknown or there twice.</summary>
/// <remarks>Each reader returns the fallback after a mistake, so that the rest of the file is still checked.</remarks>
internal sealed class MapBinder
{
    private readonly MistakeList _mistakes;
    private readonly YamlMap _map;
    private readonly Dictionary<string, YamlNode> _values = new(StringComparer.Ordinal);

    /// <param name="path">Of the map; empty for the file.</param>
    /// <param name="known">Every key this map may have.</param>
    public MapBinder(YamlMap map, string path, MistakeList mistakes, params string[] known)
    {
        _map = map;
        _mistakes = mistakes;
        Path = path;
        string[]? missing = null;   // what an unknown key may have been meant for
        foreach (var (key, value) in map.Entries)
        {
            if (!known.Contains(key.Text)) ReportUnknown(key, known, missing ??= [.. known.Except(map.Entries.Select(entry => entry.Key.Text))]);
            else if (!_values.TryAdd(key.Text, value))
                mistakes.Add(key, PathOf(key.Text), $"is there twice, first in line {_values[key.Text].Line}. Delete one of them.");
        }
    }

    /// <summary>Where the map stands in the file.</summary>
    public string Path { get; }

    /// <summary>The path of one of its keys.</summary>
    public string PathOf(string key) => Path.Length == 0 ? Printable.Text(key) : $"{Path}.{Printable.Text(key)}";

    /// <summary>What stands behind a key, or null.</summary>
    public YamlNode? Find(string key) => _values.GetValueOrDefault(key);

    /// <summary>The place of a key's value, or of the map while it has no such key.</summary>
    public YamlNode At(string key) => Find(key) ?? _map;

    /// <summary>Adds a mistake about a key's value.</summary>
    public void Add(string key, string text) => _mistakes.Add(At(key), PathOf(key), text);

    /// <summary>Adds a warning about a key's value.</summary>
    public void Warn(string key, string text) => _mistakes.Warn(At(key), PathOf(key), text);

    /// <summary>As <see cref="Find"/>; a mistake when it is missing.</summary>
    public YamlNode? Require(string key, string remedy)
    {
        var node = Find(key);
        if (node is null) _mistakes.Add(_map, PathOf(key), $"is missing. {remedy}");
        return node;
    }

    /// <summary>A scalar's text, or null when it is absent or (after a mistake) not a scalar.</summary>
    public string? Text(string key, string expected, string remedy) => Find(key) is { } node ? Scalar(node, PathOf(key), expected, remedy) : null;

    /// <summary>A scalar's text, or null after a mistake.</summary>
    public string? Scalar(YamlNode node, string path, string expected, string remedy)
    {
        if (node is YamlScalar scalar && (scalar.IsQuoted || scalar.Text.Length > 0)) return scalar.Text;
        _mistakes.Add(node, path, $"is {node.Kind}, not {expected}. {remedy}");
        return null;
    }

    /// <summary>One of some words.</summary>
    public T Choice<T>(string key, T fallback, params (string Word, T Meaning)[] choices)
    {
        var all = Words(choices.Select(c => c.Word));
        if (Text(key, all, "Write one of them.") is not { } text) return fallback;
        foreach (var (word, meaning) in choices)
        {
            if (word == text) return meaning;
        }
        var nearest = NearestKey.Of(text, choices.Select(c => c.Word));
        Add(key, $"is {Printable.Value(text)}, not {all}. {(nearest is null ? "Write one of them." : $"Did you mean {nearest}?")}");
        return fallback;
    }

    /// <summary>true or false.</summary>
    public bool Flag(string key, bool fallback) => Choice(key, fallback, ("true", true), ("false", false));

    /// <summary>A whole number.</summary>
    public long Number(string key, long min, long max, long fallback) =>
        Find(key) is { } node ? Number(node, PathOf(key), min, max, fallback) : fallback;

    /// <summary>A whole number at a place.</summary>
    public long Number(YamlNode node, string path, long min, long max, long fallback)
    {
        var range = string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}");
        if (Scalar(node, path, range, "Write such a number.") is not { } text) return fallback;
        var plain = text.Length > 0 && text.AsSpan().TrimStart('-').IndexOfAnyExceptInRange('0', '9') < 0;
        if (plain && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max) return number;
        _mistakes.Add(node, path, $"is {Printable.Value(text)}, not {range}. Write such a number.");
        return fallback;
    }

    /// <summary>A duration with its unit.</summary>
    public TimeSpan Duration(string key, TimeSpan min, TimeSpan max, TimeSpan fallback) =>
        WithUnit(key, min, max, fallback, Units.TryDuration, Units.Text, "a duration with its unit", "Write it like 250ms or 1s.");

    /// <summary>A size with its unit.</summary>
    public long Size(string key, long min, long max, long fallback) =>
        WithUnit(key, min, max, fallback, Units.TrySize, Units.Text, "a size with its unit", "Write it like 64KiB or 16MiB.");

    /// <summary>A map below this one, or null when it is absent or (after a mistake) not a map.</summary>
    public MapBinder? Map(string key, string remedy, params string[] known) =>
        Find(key) is { } node ? Map(node, PathOf(key), remedy, known) : null;

    /// <summary>A map at a place, or null after a mistake.</summary>
    public MapBinder? Map(YamlNode node, string path, string remedy, params string[] known)
    {
        if (node is YamlMap map) return new MapBinder(map, path, _mistakes, known);
        _mistakes.Add(node, path, $"is {Shown(node)}, not a map. {remedy}");
        return null;
    }

    /// <summary>The items of a list, or none after a mistake.</summary>
    public IReadOnlyList<YamlNode> List(string key, string remedy) => Find(key) is { } node ? List(node, PathOf(key), remedy) : [];

    private IReadOnlyList<YamlNode> List(YamlNode node, string path, string remedy)
    {
        if (node is YamlList list) return list.Items;
        _mistakes.Add(node, path, $"is {Shown(node)}, not a list. {remedy}");
        return [];
    }

    private delegate bool TryParse<T>(string text, out T value);

    private T WithUnit<T>(string key, T min, T max, T fallback, TryParse<T> tryParse, Func<T, string> write, string expected, string remedy)
        where T : IComparable<T>
    {
        if (Text(key, expected, remedy) is not { } text) return fallback;
        if (!tryParse(text, out var value)) Add(key, $"is {Printable.Value(text)}, not {expected}. {remedy}");
        else if (value.CompareTo(min) < 0) Add(key, $"is {text}, below {write(min)}. Raise it, or delete the line (default {write(fallback)}).");
        else if (value.CompareTo(max) > 0) Add(key, $"is {text}, above {write(max)}. Lower it, or delete the line (default {write(fallback)}).");
        else return value;
        return fallback;
    }

    private void ReportUnknown(YamlScalar key, string[] known, string[] missing) => _mistakes.Add(key, PathOf(key.Text), () =>
    {
        var nearest = NearestKey.Of(key.Text, missing) ?? NearestKey.Of(key.Text, known);
        var remedy = nearest is null ? $"Known here: {string.Join(", ", known)}." : $"Did you mean {nearest}?";
        return $"is not a known key. {remedy}";
    });

    private static string Shown(YamlNode node) => node is YamlScalar { Text.Length: > 0 } scalar ? Printable.Value(scalar.Text) : node.Kind;

    private static string Words(IEnumerable<string> words)
    {
        string[] all = [.. words];
        return all.Length == 1 ? all[0] : $"{string.Join(", ", all[..^1])} or {all[^1]}";
    }
}
