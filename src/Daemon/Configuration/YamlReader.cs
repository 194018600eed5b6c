using System.Text;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Membership.Daemon.Configuration;

/// <summary>Bytes to a tree of nodes with places; refuses what a configuration needs not and an attacker would use.</summary>
/// <remarks>No anchors, aliases, tags, directives or second documents; bounded in bytes, depth and nodes. JSON is read as the YAML it is.</remarks>
internal sealed partial class YamlReader
{
    /// <summary>A longer file is refused unread.</summary>
    public const int FileBytesMax = 1024 * 1024;

    /// <summary>Maps and lists within each other.</summary>
    public const int DepthMax = 16;

    private readonly MistakeList _mistakes;
    private readonly Parser _parser;

    private YamlReader(string text, MistakeList mistakes)
    {
        _mistakes = mistakes;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>The root of the file, or null after adding why not.</summary>
    public static YamlNode? Read(ReadOnlySpan<byte> bytes, MistakeList mistakes)
    {
        if (bytes.Length > FileBytesMax)
        {
            mistakes.Add(new Mistake(mistakes.File, 0, 0, "", $"the file has {bytes.Length} bytes, above the limit of {FileBytesMax}. Is it a configuration file?"));
            return null;
        }
        if (!TryDecode(bytes, mistakes, out var text)) return null;
        if (!HasOnlyAllowedCharacters(text, mistakes)) return null;
        if (text.AsSpan().TrimStart(" \t\r\n").StartsWith("{")) text = text.Replace('\t', ' ');   // JSON may indent with tabs; columns stay
        else if (!HasNoTabIndentation(text, mistakes)) return null;
        var reader = new YamlReader(text, mistakes);
        try
        {
            return reader.ReadStream();
        }
        catch (YamlException broken)
        {
            var what = broken.InnerException is YamlException inner ? inner : broken;
            mistakes.Add(new Mistake(mistakes.File, (int)what.Start.Line, (int)what.Start.Column, "",
                $"not valid YAML: {Printable.Text(PlacePrefix().Replace(what.Message, ""), 200)}. Check quotes, brackets and indentation here and on the line above."));
            return null;
        }
        catch (Exception odd) when (odd is InvalidOperationException or ArgumentException)   // what YamlDotNet throws for some unclosed brackets, and for some tags
        {
            var last = reader._parser.Current?.End ?? Mark.Empty;
            mistakes.Add(new Mistake(mistakes.File, (int)last.Line, (int)last.Column, "", "not valid YAML from here on. Check quotes, brackets and indentation here and below."));
            return null;
        }
    }

    private static bool TryDecode(ReadOnlySpan<byte> bytes, MistakeList mistakes, out string text)
    {
        if (bytes.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[Encoding.UTF8.Preamble.Length..];
        var invalid = System.Text.Unicode.Utf8.IsValid(bytes) ? -1 : FirstInvalid(bytes);
        if (invalid < 0)
        {
            text = Encoding.UTF8.GetString(bytes);
            return true;
        }
        var before = Encoding.UTF8.GetString(bytes[..invalid]);
        var (line, column) = Place(before, before.Length);
        mistakes.Add(new Mistake(mistakes.File, line, column, "", $"byte 0x{bytes[invalid]:x2} is not UTF-8. Save the file as UTF-8."));
        text = "";
        return false;
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        var position = 0;
        while (Rune.DecodeFromUtf8(bytes[position..], out _, out var length) == System.Buffers.OperationStatus.Done) position += length;
        return position;
    }

    private static bool HasOnlyAllowedCharacters(string text, MistakeList mistakes)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c is '\n' or '\r' or '\t' || !char.IsControl(c)) continue;
            var (line, column) = Place(text, i);
            mistakes.Add(new Mistake(mistakes.File, line, column, "", $"control character U+{(int)c:X4}, not text. Delete it."));
            return false;
        }
        return true;
    }

    private static bool HasNoTabIndentation(string text, MistakeList mistakes)
    {
        foreach (Match tab in TabIndentation().Matches(text))
        {
            var (line, column) = Place(text, tab.Index + tab.Length - 1);
            mistakes.Add(new Mistake(mistakes.File, line, column, "", "a tab in the indentation, not allowed in YAML. Indent with spaces."));
        }
        return mistakes.IsEmpty;
    }

    private static (int Line, int Column) Place(string text, int index)
    {
        var before = text.AsSpan(0, index);
        return (before.Count('\n') + 1, index - before.LastIndexOf('\n'));
    }

    private YamlNode? ReadStream()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.Accept<DocumentStart>(out _))
        {
            _mistakes.Add(new Mistake(_mistakes.File, 1, 1, "", "the file is empty. It needs at least cluster, key_file and nodes."));
            return null;
        }
        _parser.Consume<DocumentStart>();
        var root = ReadNode(0);
        if (root is null) return null;
        _parser.Consume<DocumentEnd>();
        if (_parser.Accept<DocumentStart>(out var second))
        {
            _mistakes.Add(new Mistake(_mistakes.File, (int)second.Start.Line, (int)second.Start.Column, "", "a second document begins here, one is read. Delete the line with ---."));
            return null;
        }
        return root;
    }

    // Null after a mistake that makes the rest unreadable; the parser then stays where it is.
    private YamlNode? ReadNode(int depth)
    {
        if (_parser.Accept<AnchorAlias>(out var alias))
            return Refuse(alias, $"alias *{alias.Value} is not allowed in a configuration. Write the value out.");
        var here = _parser.Consume<NodeEvent>();
        if (!here.Anchor.IsEmpty) return Refuse(here, $"anchor &{here.Anchor.Value} is not allowed in a configuration. Write the value where it is used.");
        if (!here.Tag.IsEmpty && !here.Tag.IsNonSpecific) return Refuse(here, $"tag {Printable.Text(here.Tag.Value, 40)} is not allowed in a configuration. Delete it.");
        if (depth > DepthMax) return Refuse(here, $"lists and maps are nested deeper than {DepthMax}. No option needs that.");
        var (line, column) = ((int)here.Start.Line, (int)here.Start.Column);
        return here switch
        {
            Scalar scalar => new YamlScalar(scalar.Value, scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any), line, column),
            SequenceStart => ReadList(line, column, depth),
            _ => ReadMap(line, column, depth),
        };
    }

    private YamlNode? Refuse(ParsingEvent at, string text)
    {
        _mistakes.Add(new Mistake(_mistakes.File, (int)at.Start.Line, (int)at.Start.Column, "", text));
        return null;
    }

    private YamlList? ReadList(int line, int column, int depth)
    {
        List<YamlNode> items = [];
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            if (ReadNode(depth + 1) is not { } item) return null;
            items.Add(item);
        }
        return new YamlList(items, line, column);
    }

    private YamlMap? ReadMap(int line, int column, int depth)
    {
        List<YamlEntry> entries = [];
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (ReadNode(depth + 1) is not { } key) return null;
            if (key is not YamlScalar name)
            {
                _mistakes.Add(key, "", $"{key.Kind} stands where a key is expected. Keys are plain words.");
                return null;
            }
            if (ReadNode(depth + 1) is not { } value) return null;
            entries.Add(new YamlEntry(name, value));
        }
        return new YamlMap(entries, line, column);
    }

    [GeneratedRegex(@"^ *\t(?=[^\r\n]*[^\s#])", RegexOptions.Multiline)]
    private static partial Regex TabIndentation();

    [GeneratedRegex(@"^\(Line: .*?\) - \(Line: .*?\): |^\(Line: .*?\): |\.$")]
    private static partial Regex PlacePrefix();
}
