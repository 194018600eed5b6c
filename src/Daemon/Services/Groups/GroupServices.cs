using Membership.Daemon.Ring;
using Membership.Links;

namespace Membership.Daemon.Services.Groups;

/// <summary>What all sessions of the daemon share.</summary>
/// <param name="Self">This node.</param>
/// <param name="Boot">Short boot id.</param>
/// <param name="Host">The ring thread.</param>
/// <param name="Hub">Who reads which group; only to be touched on the ring thread.</param>
/// <param name="Log">Recent events.</param>
/// <param name="Receipts">Who waits for which message; only to be touched on the ring thread.</param>
/// <param name="MessageBytesMax">Longest message.</param>
/// <param name="Time">Measures how long clients take.</param>
/// <param name="Cuts">Told of clients that are cut off.</param>
internal sealed record GroupServices(NodeId Self, ulong Boot, RingHost Host, GroupHub Hub, GroupLog Log, ReceiptTable Receipts, int MessageBytesMax, TimeProvider Time, ClientCuts Cuts)
{
    /// <summary>CLOCK_MONOTONIC, nanoseconds.</summary>
    public long Now => Host.Clock.Absolute(Host.Clock.Now);
}
