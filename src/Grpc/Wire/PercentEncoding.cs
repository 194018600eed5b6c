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

        var bytes = new List<byte>(text.Length);
        for (int index = 0; index < text.Length; index++)
        {
            bool escape = text[index] == '%' && index + 2 < text.Length
                && char.IsAsciiHexDigit(text[index + 1]) && char.IsAsciiHexDigit(text[index + 2]);
            if (escape)
            {
                bytes.Add(Convert.ToByte(text.Substring(index + 1, 2), 16));
                index += 2;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text, index, 1));
            }
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }
}
