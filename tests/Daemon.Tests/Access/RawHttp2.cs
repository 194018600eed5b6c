using System.Buffers.Binary;
using System.Text;

namespace Membership.Daemon.Tests.Access;

/// <summary>Bytes of an HTTP/2 client that no library would be: it opens every window as far as it goes and asks for nothing but one call.</summary>
internal static class RawHttp2
{
    // RFC 9113, 6; RFC 7541, 6.2.2 and appendix A.
    private const byte Data = 0, Headers = 1, Settings = 4, WindowUpdate = 8;
    private const byte EndStream = 1, EndHeaders = 4;
    private const int WindowMax = int.MaxValue, WindowAtFirst = 65535;

    /// <summary>The preface, and a call with an empty message.</summary>
    public static byte[] Call(string path)
    {
        var window = new byte[6];
        BinaryPrimitives.WriteUInt16BigEndian(window, 4);   // SETTINGS_INITIAL_WINDOW_SIZE
        BinaryPrimitives.WriteInt32BigEndian(window.AsSpan(2), WindowMax);
        var increment = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(increment, WindowMax - WindowAtFirst);
        byte[] fields =
        [
            0x83, 0x87,                                     // :method POST, :scheme https
            0x04, .. Text(path),                            // :path
            0x01, .. Text("localhost"),                     // :authority
            0x0f, 0x10, .. Text("application/grpc"),        // content-type
            0x00, .. Text("te"), .. Text("trailers"),
        ];
        return
        [
            .. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8,
            .. Frame(Settings, 0, 0, window),
            .. Frame(WindowUpdate, 0, 0, increment),
            .. Frame(Headers, EndHeaders, 1, fields),
            .. Frame(Data, EndStream, 1, new byte[5]),      // not compressed, 0 bytes
        ];
    }

    private static byte[] Frame(byte kind, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (kind, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }

    private static byte[] Text(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];   // shorter than 127
}
