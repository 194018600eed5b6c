using Membership.Exploration.Hosts.Steering;
using Membership.Exploration.Hosts.Suites;
using Membership.Explorer;

namespace Membership.Exploration.Hosts;

/// <summary>The suites of the daemon's and the client's asynchronous code.</summary>
public sealed class HostSuites : ISuites
{
    private const int SessionSteps = 600;

    /// <inheritdoc/>
    public IEnumerable<Suite> All =>
    [
        Small("wakeups-signal", nameof(WakeUps.Signal), "nobody sleeps through a signal that is raised while it is armed", 20_000),
        Small("wakeups-reader", nameof(WakeUps.Reader), "a session sees each record of its groups once and in order, and is woken for it", 100_000),
        Small("wakeups-resume", nameof(WakeUps.Resume), "a watch that goes on where one was cut off sees each record once and in order, and is woken for it", 100_000),
        Small("wakeups-gate", nameof(WakeUps.Gate), "a gate that closes is empty when it says so, and lets nobody in afterwards", 50_000),
        Small("wakeups-mailbox", nameof(WakeUps.Mailbox), "the ring thread does not sleep while a message, a command or the wish to leave waits for it", 300_000),
        Small("wakeups-receipts", nameof(WakeUps.Receipts), "every message has its receipt, once and in the order of sending, when its window has ended", 300_000),
        Sessions("sessions-subscribe", nameof(Suites.Sessions.Subscribe), "who joins while the other node leaves or dies is a member, gets its receipts, and sees what the others see"),
        Sessions("sessions-threads", nameof(Suites.Sessions.Threads), "sessions that are overtaken wherever they touch what the ring thread does miss nothing and hang nowhere"),
        Sessions("sessions-cancel", nameof(Suites.Sessions.Cancel), "a client that dies in the middle of sending is process-down for the others, and nothing of it stays"),
        Sessions("sessions-vanish", nameof(Suites.Sessions.Vanish), "a client that is gone while the daemon writes to it holds up nobody"),
        Sessions("sessions-stop", nameof(Suites.Sessions.Stop), "when the daemon stops every session ends with a reason, every message has been answered, and nobody gets in any more"),
        Sessions("sessions-stop-large", nameof(Suites.Sessions.StopLarge), "the same where more bytes than may wait for the ring thread are being sent"),
        Sessions("sessions-credit", nameof(Suites.Sessions.Credit), "never more than the window is under way, and with credit everything comes"),
        Clients("client-dispose", nameof(Suites.Clients.Dispose), "disposal ends whatever becomes of the connection, and leaves nothing"),
        Clients("client-cancel", nameof(Suites.Clients.CancelSend), "what a sender is told of its message agrees with what the group saw"),
        Clients("client-stop", nameof(Suites.Clients.StopDaemon), "a sender whose daemon leaves is told of its message what agrees with what the others saw"),
        Clients("client-reconnect", nameof(Suites.Clients.Reconnect), "updates come once and in order, with an interruption where some may be missing"),
        Large(typeof(Reloads), "reload-view-change", nameof(Reloads.DuringViewChange), "after overlapping reloads the daemon runs with the keys it says, and nodes with these keys come together"),
        Canary("canary-host-cancelled", nameof(Canaries.Cancelled), "An iteration checks what it is for. It does not: its main actor is cancelled before."),
        Canary("canary-host-unobserved", nameof(Canaries.Unobserved), "No actor fails. One does, and nobody awaits it."),
    ];

    private static Suite Canary(string name, string method, string promise) => new()
    {
        Name = name,
        Promise = promise,
        Explore = SteeredAssemblies.Suite(typeof(Canaries), method),
        StepsMax = 20,
        MustFail = true,
    };

    private static Suite Small(string name, string method, string promise, long within) => new()
    {
        Name = name,
        Promise = promise,
        Explore = SteeredAssemblies.Suite(typeof(WakeUps), method),
        Strategies = "dfs",
        ExhaustedWithin = within,
    };

    private static Suite Sessions(string name, string method, string promise) => Large(typeof(Suites.Sessions), name, method, promise);

    private static Suite Clients(string name, string method, string promise) => Large(typeof(Suites.Clients), name, method, promise);

    private static Suite Large(Type type, string name, string method, string promise) => new()
    {
        Name = name,
        Promise = promise,
        Explore = SteeredAssemblies.Suite(type, method),
        StepsMax = SessionSteps,
        LivenessSteps = 20_000,
    };
}
