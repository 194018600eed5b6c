using System.Text;

namespace Membership.Grpc.Wire;

/// <summary>The header <c>grpc-message</c>: UTF-8 with every byte outside printable ASCII, and '%', as %XX.</summary>
internal static class PercentEncoding
{
    private const string HexDigits = "0123456789ABCDEF";

    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~') && !text.Contains('%')) return text;

        var encoded = new StringBuilder(text.Length + 16);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            if (value is >= (byte)' ' and <= (byte)'~' and not (byte)'%') encoded.Append((char)value);
            else encoded.Append('%').Append(HexDigits[value >> 4]).Append(HexDigits[value & 15]);
        }
        return encoded.ToString();
    }

    /// <summary>Never fails: what is not well formed stays as it is.</summary>
    public static string Decode(string text)
    {
        if (!text.Contains('%')) return text;

        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int length = 0;
        for (int index = 0; index < text.Length;)
        {
            if (IsEscape(text, index))
            {
                bytes[length++] = (byte)((HexValue(text[index + 1]) << 4) | HexValue(text[index + 2]));
                index += 3;
                continue;
            }

            // What stands between two escapes is taken as a whole: a letter may be two characters.
            int end = index + 1;
            while (end < text.Length && !IsEscape(text, end)) end++;
            length += Encoding.UTF8.GetBytes(text.AsSpan(index, end - index), bytes.AsSpan(length));
            index = end;
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static bool IsEscape(string text, int index) =>
        text[index] == '%' && index + 2 < text.Length && char.IsAsciiHexDigit(text[index + 1]) && char.IsAsciiHexDigit(text[index + 2]);

    private static int HexValue(char digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
