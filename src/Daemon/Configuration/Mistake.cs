using System.Globalization;

namespace Membership.Daemon.Configuration;

/// <summary>Something in the configuration that the operator has to change (or, as a warning, should know).</summary>
/// <param name="File">The file as the operator named it.</param>
/// <param name="Line">From 1; 0 where no place in the file is meant.</param>
/// <param name="Column">From 1; 0 where no place in the file is meant.</param>
/// <param name="Path">The option, as in <c>nodes[1].links[0]</c>; empty for the file as a whole.</param>
/// <param name="Text">What is wrong, the limit, the remedy.</param>
internal sealed record Mistake(string File, int Line, int Column, string Path, string Text)
{
    /// <summary><c>file:line:column: path text</c>, on one line whatever the file contains.</summary>
    public override string ToString()
    {
        var place = Line == 0 ? File : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}");
        return Path.Length == 0 ? $"{place}: {Text}" : $"{place}: {Path} {Text}";
    }
}

/// <summary>Collects every mistake of one file, in the order of the file.</summary>
internal sealed class MistakeList(string file)
{
    /// <summary>More mistakes than this are counted, not listed.</summary>
    public const int Max = 100;

    private readonly List<Mistake> _mistakes = [];
    private readonly List<Mistake> _warnings = [];
    private int _unlisted;

    /// <summary>The file as the operator named it.</summary>
    public string File { get; } = file;

    /// <summary>True when nothing is wrong.</summary>
    public bool IsEmpty => _mistakes.Count == 0;

    /// <summary>The mistakes, by place.</summary>
    public IReadOnlyList<Mistake> Mistakes
    {
        get
        {
            List<Mistake> sorted = [.. _mistakes.OrderBy(m => m.Line).ThenBy(m => m.Column)];
            if (_unlisted > 0) sorted.Add(new Mistake(File, 0, 0, "", $"{_unlisted} more mistakes are not listed. Correct these first."));
            return sorted;
        }
    }

    /// <summary>What works, but not as the file may suggest.</summary>
    public IReadOnlyList<Mistake> Warnings => _warnings;

    /// <summary>Adds one at a place: <paramref name="text"/> begins with "is VALUE, LIMIT. REMEDY".</summary>
    public void Add(YamlNode at, string path, string text) => Add(new Mistake(File, at.Line, at.Column, path, text));

    /// <summary>As <see cref="Add(YamlNode, string, string)"/>, where words are dear to find: not asked for them when the mistake is only counted.</summary>
    public void Add(YamlNode at, string path, Func<string> text)
    {
        if (_mistakes.Count < Max) Add(at, path, text());
        else _unlisted++;
    }

    /// <summary>Adds one in a line: nothing is made of it, not even its words, when it is only counted.</summary>
    public void Add<T>(int line, in T what, Func<T, string> text)
    {
        if (_mistakes.Count < Max) Add(new Mistake(File, line, 1, "", text(what)));
        else _unlisted++;
    }

    /// <summary>Adds one.</summary>
    public void Add(Mistake mistake)
    {
        if (_mistakes.Count < Max) _mistakes.Add(mistake);
        else _unlisted++;
    }

    /// <summary>Adds a warning at a place.</summary>
    public void Warn(YamlNode at, string path, string text) => _warnings.Add(new Mistake(File, at.Line, at.Column, path, text));

    /// <summary>Adds a warning about the file as a whole.</summary>
    public void Warn(string text) => _warnings.Add(new Mistake(File, 0, 0, "", text));
}
