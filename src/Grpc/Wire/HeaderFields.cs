using Grpc.Core;

namespace Membership.Grpc.Wire;

/// <summary>Names of the protocol's header fields, and metadata as header fields.</summary>
internal static class HeaderFields
{
    public const string ContentType = "application/grpc";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";
    public const string AcceptedEncodings = "identity,gzip";

    /// <summary>A caller's wish for compressed requests; it stays on this side.</summary>
    public const string RequestEncodingWish = "grpc-internal-encoding-request";

    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        Status, Message, Encoding, AcceptEncoding, Timeouts.Header, RequestEncodingWish,
        "content-type", "te", "host", "content-length", "transfer-encoding", "connection",
    };

    /// <summary>True for fields of the protocol, which are no metadata.</summary>
    public static bool IsReserved(string name) => name.StartsWith(':') || Reserved.Contains(name);

    public static bool IsBinary(string name) => name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.OrdinalIgnoreCase);

    public static bool IsGrpc(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is '+' or ';');

    public static string Text(Metadata.Entry entry) =>
        entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes).TrimEnd('=') : entry.Value;

    /// <summary>Adds what a peer sent. Values of <c>-bin</c> fields that are not base64 are left out, as other implementations do.</summary>
    public static void AddReceived(Metadata metadata, string name, string value)
    {
        if (IsReserved(name)) return;
        string key = name.ToLowerInvariant();
        if (!IsBinary(key))
        {
            metadata.Add(Metadata.Entry.Received(key, value));
            return;
        }
        foreach (string part in value.Split(',', StringSplitOptions.TrimEntries))
        {
            if (TryDecodeBase64(part) is { } bytes) metadata.Add(Metadata.Entry.Received(key, bytes));
        }
    }

    private static byte[]? TryDecodeBase64(string text)
    {
        string unpadded = text.TrimEnd('=');
        string padded = unpadded.PadRight((unpadded.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length / 4 * 3];
        return Convert.TryFromBase64String(padded, bytes, out int length) ? bytes[..length] : null;
    }
}
