using System.Globalization;
using System.Security.Cryptography;
using Membership.Cli.Errors;

namespace Membership.Cli.Keys;

/// <summary>One key of a key file: its number and 32 secret bytes.</summary>
internal sealed record KeyLine(int Id, byte[] Secret)
{
    /// <summary>Bytes of a secret (AES-256).</summary>
    public const int SecretBytes = 32;

    /// <summary>Key ids are one byte on the wire, 0 is none.</summary>
    public const int IdMax = 255;

    /// <summary>A longer file is not a key file, bytes.</summary>
    public const int FileBytesMax = 64 * 1024;

    /// <summary>Reads the keys of an existing file, whatever their state there. Messages never hold a character of a secret.</summary>
    public static IReadOnlyList<KeyLine> Read(string file)
    {
        string[] lines;
        try
        {
            if (new FileInfo(file).Length > FileBytesMax)
                throw new CliException(ErrorCatalogue.BadKeyFile, ("file", file), ("line", 1), ("problem", $"the file has more than {FileBytesMax} bytes"));
            lines = File.ReadAllLines(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ErrorCatalogue.CannotRead, error, ("file", file), ("detail", error.Message));
        }
        var keys = new List<KeyLine>();
        for (var index = 0; index < lines.Length; index++)
        {
            var text = lines[index].Split('#')[0].Trim();
            if (text.Length > 0)
                keys.Add(Parse(file, index + 1, text));
        }
        return keys;
    }

    /// <summary>A fresh key from the system's random source.</summary>
    public static KeyLine Generate(int id) => new(id, RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>The line of the key file.</summary>
    public string Render(bool isActive) =>
        string.Create(CultureInfo.InvariantCulture, $"{Id} {(isActive ? "active" : "accepted")} {Convert.ToBase64String(Secret)}");

    private static KeyLine Parse(string file, int line, string text)
    {
        var words = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        var secret = new byte[SecretBytes];
        var problem = words switch
        {
            not [_, _, _] => $"{words.Length} words instead of three",
            [var id, _, _] when !int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > IdMax =>
                $"the key id is not a number from 1 to {IdMax}",
            [_, not ("active" or "accepted"), _] => "the state is neither active nor accepted",
            [_, _, var base64] when !Convert.TryFromBase64String(base64, secret, out var written) || written != SecretBytes =>
                $"the secret is not base64 of {SecretBytes} bytes",
            _ => null,
        };
        if (problem is not null)
            throw new CliException(ErrorCatalogue.BadKeyFile, ("file", file), ("line", line), ("problem", problem));
        return new KeyLine(int.Parse(words[0], CultureInfo.InvariantCulture), secret);
    }
}
