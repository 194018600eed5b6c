using System.Globalization;
using System.Text;

namespace Membership.Fuzz.Engine;

/// <summary>The kept inputs of each target: <c>corpus/TARGET/NAME.hex</c> (bytes in hex, comments behind <c>#</c>) or, of text, <c>NAME.txt</c> as it is.</summary>
internal static class Corpus
{
    private const int HexPerLine = 48;

    /// <summary>Beside the program.</summary>
    public static string Directory { get; } = Path.Combine(AppContext.BaseDirectory, "corpus");

    /// <summary>All kept inputs of a target, by name.</summary>
    public static IReadOnlyList<Seed> Read(string target)
    {
        var folder = Path.Combine(Directory, target);
        if (!System.IO.Directory.Exists(folder)) return [];
        return [.. System.IO.Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(file => new Seed(Path.GetFileNameWithoutExtension(file), ReadFile(file)))];
    }

    /// <summary>The bytes of one file.</summary>
    public static byte[] ReadFile(string file) => file.EndsWith(".hex", StringComparison.Ordinal) ? FromHex(File.ReadAllLines(file)) : File.ReadAllBytes(file);

    /// <summary>Writes the seeds of a target that are not there yet.</summary>
    public static int Write(string root, Target target)
    {
        if (!target.KeepsSeeds) return 0;
        var folder = Path.Combine(root, target.Name);
        System.IO.Directory.CreateDirectory(folder);
        var written = 0;
        foreach (var seed in target.Seeds())
        {
            var isText = target.IsText && IsPlain(seed.Bytes);
            var file = Path.Combine(folder, seed.Name + (isText ? ".txt" : ".hex"));
            if (isText) File.WriteAllBytes(file, seed.Bytes);
            else File.WriteAllText(file, ToHex(seed.Bytes, $"{target.Name}: {seed.Name}"));
            written++;
        }

        return written;
    }

    /// <summary>Bytes as a corpus file has them.</summary>
    public static string ToHex(ReadOnlySpan<byte> bytes, string comment)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"# {comment} ({bytes.Length} bytes)\n");
        for (var at = 0; at < bytes.Length; at += HexPerLine) text.Append(Convert.ToHexStringLower(bytes[at..Math.Min(at + HexPerLine, bytes.Length)])).Append('\n');
        return text.ToString();
    }

    private static byte[] FromHex(string[] lines) => Convert.FromHexString(string.Concat(lines.Select(line => line.Split('#')[0].Trim())));

    // Text that a checkout or an editor would not change.
    private static bool IsPlain(byte[] bytes) =>
        bytes.Length > 0 && bytes.AsSpan().IndexOfAnyExceptInRange((byte)' ', (byte)'~') is var odd && (odd < 0 || bytes.All(one => one is (byte)'\n' or >= (byte)' ' and <= (byte)'~'));
}
