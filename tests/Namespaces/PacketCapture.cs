using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;

namespace Membership.Namespaces;

/// <summary>A UDP datagram seen on the wire.</summary>
public sealed record CapturedDatagram(IPEndPoint From, IPEndPoint To, byte[] Payload);

/// <summary>Everything that crosses one link's bridge, recorded by tcpdump.</summary>
public sealed class PacketCapture : IAsyncDisposable
{
    private const uint FileMagicMicroseconds = 0xa1b2c3d4;
    private const int FileHeaderBytes = 24;
    private const int RecordHeaderBytes = 16;
    private const int EthernetHeaderBytes = 14;
    private const int EthernetLinkType = 1;
    private const byte UdpProtocol = 17;

    private readonly Process _tcpdump;
    private readonly string _path;

    private PacketCapture(Process tcpdump, string path)
    {
        _tcpdump = tcpdump;
        _path = path;
    }

    /// <summary>Starts to record a link; returns when tcpdump listens.</summary>
    public static async Task<PacketCapture> StartAsync(VirtualNetwork network, int link, string path)
    {
        var start = new ProcessStartInfo("ip") { RedirectStandardError = true };
        foreach (var argument in new[] { "netns", "exec", network.BridgeNamespace, "tcpdump", "-i", $"br{link}", "-U", "-n", "-s", "0", "-B", "16384", "-Z", "root", "-w", path })
            start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new CommandFailedException("tcpdump cannot be started");
        for (string? line; (line = await process.StandardError.ReadLineAsync()) is not null;)
            if (line.Contains("listening on", StringComparison.Ordinal)) return new PacketCapture(process, path);
        throw new CommandFailedException($"tcpdump ended with {process.ExitCode} before it listened");
    }

    /// <summary>Ends the recording and returns the whole file.</summary>
    public async Task<byte[]> StopAsync()
    {
        if (!_tcpdump.HasExited)
        {
            Native.Signal(_tcpdump.Id, Native.SignalTerminate);
            await _tcpdump.WaitForExitAsync();
        }

        return await File.ReadAllBytesAsync(_path);
    }

    /// <summary>The UDP datagrams over IPv4 in a recording; fragments and cut-off packets are left out.</summary>
    public static IReadOnlyList<CapturedDatagram> Datagrams(ReadOnlySpan<byte> file)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(file) != FileMagicMicroseconds || BinaryPrimitives.ReadInt32LittleEndian(file[20..]) != EthernetLinkType)
            throw new InvalidDataException("not a recording of an Ethernet with microseconds");
        var datagrams = new List<CapturedDatagram>();
        for (var rest = file[FileHeaderBytes..]; rest.Length >= RecordHeaderBytes;)
        {
            var stored = BinaryPrimitives.ReadInt32LittleEndian(rest[8..]);
            if (stored < 0 || rest.Length - RecordHeaderBytes < stored) break;
            if (ReadDatagram(rest.Slice(RecordHeaderBytes, stored)) is { } datagram) datagrams.Add(datagram);
            rest = rest[(RecordHeaderBytes + stored)..];
        }

        return datagrams;
    }

    /// <summary>Ends tcpdump if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _tcpdump.Dispose();
    }

    private static CapturedDatagram? ReadDatagram(ReadOnlySpan<byte> frame)
    {
        const ushort Ipv4 = 0x0800, FragmentMask = 0x3fff;
        if (frame.Length < EthernetHeaderBytes + 28 || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != Ipv4) return null;
        var ip = frame[EthernetHeaderBytes..];
        var ipHeader = (ip[0] & 0x0f) * 4;
        if (ip[9] != UdpProtocol || (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & FragmentMask) != 0 || ip.Length < ipHeader + 8) return null;
        var udp = ip[ipHeader..];
        var length = BinaryPrimitives.ReadUInt16BigEndian(udp[4..]);
        if (length < 8 || length > udp.Length) return null;
        return new CapturedDatagram(
            new IPEndPoint(new IPAddress(ip.Slice(12, 4)), BinaryPrimitives.ReadUInt16BigEndian(udp)),
            new IPEndPoint(new IPAddress(ip.Slice(16, 4)), BinaryPrimitives.ReadUInt16BigEndian(udp[2..])),
            udp[8..length].ToArray());
    }
}
