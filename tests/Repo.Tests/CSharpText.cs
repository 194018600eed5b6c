using System.Text;

namespace Membership.Repo.Tests;

/// <summary>Reads C# just well enough to tell code from comments and text.</summary>
internal static class CSharpText
{
    /// <summary>The code alone: comments and the inside of string and character literals are blanked, line breaks stay.</summary>
    public static string CodeOnly(string source)
    {
        var code = new StringBuilder(source.Length);
        for (var at = 0; at < source.Length;)
        {
            var end = EndOfNonCode(source, at);
            if (end == at)
            {
                code.Append(source[at++]);
                continue;
            }

            for (; at < end; at++) code.Append(source[at] == '\n' ? '\n' : ' ');
        }

        return code.ToString();
    }

    private static int EndOfNonCode(string source, int at)
    {
        var rest = source.AsSpan(at);
        if (rest.StartsWith("//")) return EndAfter(source, "\n", at, keepEnd: true);
        if (rest.StartsWith("/*")) return EndAfter(source, "*/", at + 2, keepEnd: false);
        if (rest.StartsWith("\"\"\"")) return EndOfRaw(source, at);
        if (rest.StartsWith("@\"") || rest.StartsWith("$@\"") || rest.StartsWith("@$\"")) return EndOfVerbatim(source, source.IndexOf('"', at) + 1);
        if (rest[0] == '"') return EndOfQuoted(source, at + 1, '"');
        if (rest[0] == '\'') return EndOfQuoted(source, at + 1, '\'');
        return at;
    }

    private static int EndAfter(string source, string end, int from, bool keepEnd)
    {
        var found = source.IndexOf(end, from, StringComparison.Ordinal);
        if (found < 0) return source.Length;
        return keepEnd ? found : found + end.Length;
    }

    private static int EndOfRaw(string source, int at)
    {
        var quotes = 0;
        while (at + quotes < source.Length && source[at + quotes] == '"') quotes++;
        return EndAfter(source, new string('"', quotes), at + quotes, keepEnd: false);
    }

    private static int EndOfVerbatim(string source, int at)
    {
        for (; at < source.Length; at++)
        {
            if (source[at] != '"') continue;
            if (at + 1 < source.Length && source[at + 1] == '"') at++;
            else return at + 1;
        }

        return at;
    }

    private static int EndOfQuoted(string source, int at, char quote)
    {
        for (; at < source.Length && source[at] != '\n'; at++)
        {
            if (source[at] == '\\') at++;
            else if (source[at] == quote) return at + 1;
        }

        return Math.Min(at, source.Length);
    }
}
