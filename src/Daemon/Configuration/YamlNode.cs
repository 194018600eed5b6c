namespace Membership.Daemon.Configuration;

/// <summary>A node of the configuration file with its place. Scalars stay text: the field they are meant for gives them their type.</summary>
internal abstract record YamlNode(int Line, int Column)
{
    /// <summary>What kind of thing it is, for messages.</summary>
    public abstract string Kind { get; }
}

/// <summary>A scalar as it was written, quotes and escapes resolved.</summary>
internal sealed record YamlScalar(string Text, bool IsQuoted, int Line, int Column) : YamlNode(Line, Column)
{
    /// <inheritdoc/>
    public override string Kind => Text.Length == 0 && !IsQuoted ? "empty" : "a single value";
}

/// <summary>A list.</summary>
internal sealed record YamlList(IReadOnlyList<YamlNode> Items, int Line, int Column) : YamlNode(Line, Column)
{
    /// <inheritdoc/>
    public override string Kind => "a list";
}

/// <summary>A map; keys in the order of the file, a key may still be there twice.</summary>
internal sealed record YamlMap(IReadOnlyList<YamlEntry> Entries, int Line, int Column) : YamlNode(Line, Column)
{
    /// <inheritdoc/>
    public override string Kind => "a map";
}

/// <summary>One key of a map and what stands behind it.</summary>
internal sealed record YamlEntry(YamlScalar Key, YamlNode Value);
