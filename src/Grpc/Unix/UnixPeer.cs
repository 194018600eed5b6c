using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Membership.Grpc.Unix;

/// <summary>Who is at the other end of a Unix socket, as the kernel knows it (unix(7), SO_PEERCRED).</summary>
/// <param name="ProcessId">Of the process that connected or listened; it may have ended since.</param>
/// <param name="UserId">Effective user id at that moment.</param>
/// <param name="GroupId">Effective group id at that moment; <see cref="GroupsOf"/> has the supplementary ones.</param>
public readonly partial record struct UnixPeer(int ProcessId, uint UserId, uint GroupId)
{
    // asm-generic/socket.h
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;
    private const int SoPeerGroups = 59;
    private const int CredentialBytes = 12;

    // limits.h: NGROUPS_MAX of Linux.
    private const int GroupsMax = 65536;
    private const int GroupsUsual = 64;

    /// <summary>The effective user of this process.</summary>
    public static uint OwnUserId => GetEffectiveUserId();

    /// <summary>Null when the socket is no Unix socket, or not connected.</summary>
    public static UnixPeer? Of(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        if (socket.AddressFamily != AddressFamily.Unix) return null;

        Span<byte> credentials = stackalloc byte[CredentialBytes];
        int length = socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        if (length != CredentialBytes) return null;

        var peer = new UnixPeer(
            BitConverter.ToInt32(credentials), BitConverter.ToUInt32(credentials[4..]), BitConverter.ToUInt32(credentials[8..]));
        return peer.ProcessId == 0 ? null : peer;
    }

    /// <summary>Supplementary groups of the process at the other end when it connected; empty when it has none, or the socket is no Unix socket.</summary>
    public static IReadOnlyList<uint> GroupsOf(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        if (socket.AddressFamily != AddressFamily.Unix) return [];
        return TryGroupsOf(socket, GroupsUsual) ?? TryGroupsOf(socket, GroupsMax) ?? [];
    }

    // Null: there are more groups than room (ERANGE).
    private static uint[]? TryGroupsOf(Socket socket, int room)
    {
        var bytes = new byte[room * sizeof(uint)];
        try
        {
            int length = socket.GetRawSocketOption(SolSocket, SoPeerGroups, bytes);
            return MemoryMarshal.Cast<byte, uint>(bytes.AsSpan(0, length)).ToArray();
        }
        catch (SocketException) when (room < GroupsMax)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();
}
