namespace Membership.Daemon.Configuration;

/// <summary>Finds what somebody probably meant.</summary>
internal static class NearestKey
{
    /// <summary>Longer words are not compared.</summary>
    private const int WordMax = 64;

    /// <summary>The known word with the fewest edits (insert, delete, replace, swap neighbours), or null where none is near.</summary>
    public static string? Of(string word, IEnumerable<string> known)
    {
        if (word.Length is 0 or > WordMax) return null;
        var folded = Fold(word);
        var (best, fewest) = ("", int.MaxValue);
        foreach (var candidate in known)
        {
            var edits = Distance(folded, Fold(candidate));
            if (edits < fewest) (best, fewest) = (candidate, edits);
        }
        return fewest <= Math.Max(1, Math.Max(word.Length, best.Length) / 3) ? best : null;
    }

    private static string Fold(string word) => word.ToLowerInvariant().Replace('-', '_');

    // Optimal string alignment; three rows are enough.
    private static int Distance(string a, string b)
    {
        Span<int> twoBack = stackalloc int[b.Length + 1];
        Span<int> oneBack = stackalloc int[b.Length + 1];
        Span<int> row = stackalloc int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) oneBack[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                row[j] = Math.Min(Math.Min(oneBack[j], row[j - 1]) + 1, oneBack[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = Math.Min(row[j], twoBack[j - 2] + 1);
            }
            var oldest = twoBack;
            twoBack = oneBack;
            oneBack = row;
            row = oldest;
        }
        return oneBack[b.Length];
    }
}
