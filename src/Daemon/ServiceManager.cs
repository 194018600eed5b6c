using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Membership.Daemon;

/// <summary>Tells the service manager how the daemon is (sd_notify(3)): datagrams of <c>KEY=VALUE</c> lines to the socket it named.</summary>
internal sealed class ServiceManager
{
    private readonly UnixDomainSocketEndPoint? _socket;
    private readonly Action<string, string> _failed;

    /// <param name="notifySocket">NOTIFY_SOCKET: a path, <c>@name</c> for an abstract name, or null when nobody listens.</param>
    /// <param name="watchdogMicroseconds">WATCHDOG_USEC, or null.</param>
    /// <param name="failed">Told state and cause when a message cannot be sent; the daemon goes on.</param>
    public ServiceManager(string? notifySocket, string? watchdogMicroseconds, Action<string, string> failed)
    {
        _failed = failed;
        if (!string.IsNullOrEmpty(notifySocket)) _socket = new UnixDomainSocketEndPoint(notifySocket[0] == '@' ? "\0" + notifySocket[1..] : notifySocket);
        if (_socket is not null && long.TryParse(watchdogMicroseconds, NumberStyles.None, CultureInfo.InvariantCulture, out var interval) && interval > 0)
            WatchdogPace = TimeSpan.FromMicroseconds(interval) / 2;
    }

    /// <summary>How often the watchdog wants to be fed: half its timeout; null when there is none.</summary>
    public TimeSpan? WatchdogPace { get; }

    /// <summary>The daemon serves.</summary>
    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>One line for <c>systemctl status</c>.</summary>
    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>The daemon works.</summary>
    public void Alive() => Send("WATCHDOG=1");

    /// <summary>The daemon stops.</summary>
    public void Stopping() => Send("STOPPING=1\nSTATUS=leaving the cluster");

    private void Send(string state)
    {
        if (_socket is null) return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Blocking = false;   // a full queue must not stop the daemon
            socket.SendTo(Encoding.UTF8.GetBytes(state), _socket);
        }
        catch (SocketException failure)
        {
            _failed(state.Replace('\n', ' '), failure.Message);
        }
    }
}
