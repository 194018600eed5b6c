using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Membership.Cli.Text;

/// <summary>Hand-written JSON: no reflection, so the program starts fast; names are snake_case, numbers are numbers.</summary>
internal static class JsonText
{
    /// <summary>Text stays readable; quotes, backslashes and control characters are escaped.</summary>
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One object on one line.</summary>
    public static string Object(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
