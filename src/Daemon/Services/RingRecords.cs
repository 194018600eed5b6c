using Membership.Daemon.Services.Groups;

namespace Membership.Daemon.Services;

/// <summary>Everything that keeps what the ring thread reports, for the services to read: written by <see cref="RingObserver"/> alone.</summary>
/// <param name="Deliveries">Recent messages and views in their one order.</param>
/// <param name="Views">Recent views.</param>
/// <param name="Verdicts">Recent verdicts about quorum.</param>
/// <param name="Changes">Who waits for a change of votes.</param>
/// <param name="Groups">Who reads which group.</param>
/// <param name="Receipts">Who waits for which message.</param>
/// <param name="States">The standing of each configured node.</param>
internal sealed record RingRecords(
    DeliveryLog Deliveries, ViewHistory Views, QuorumHistory Verdicts, QuorumChanges Changes, GroupHub Groups, ReceiptTable Receipts, NodeStates States);
