using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>What a benchmark of the ring does.</summary>
/// <param name="Sockets">The daemons, each of which sends (unless <paramref name="ReceiveOnly"/>) and is listened to.</param>
/// <param name="ReceiveOnly">Send nothing; measure what others send.</param>
/// <param name="Size">Bytes of each payload.</param>
/// <param name="Measured">How long is measured.</param>
/// <param name="WarmUp">How long is sent before that.</param>
/// <param name="Outstanding">Messages of one sender that its own subscription has not shown yet; 1 is a closed loop.</param>
/// <param name="Rate">Messages a second of each sender; 0 as fast as <paramref name="Outstanding"/> lets it.</param>
/// <param name="Level">Agreed or safe.</param>
/// <param name="IdleFirst">Measure the first message on an idle ring before.</param>
internal sealed record BenchOptions(
    IReadOnlyList<string> Sockets,
    bool ReceiveOnly,
    int Size,
    TimeSpan Measured,
    TimeSpan WarmUp,
    int Outstanding,
    double Rate,
    DeliveryLevel Level,
    bool IdleFirst)
{
    /// <summary>Of a group: begin once it has so many members.</summary>
    public int Members { get; init; } = 1;

    /// <summary>Of a group: further members at the same daemon, each with a connection of its own, that join before the warm-up and never read.</summary>
    public int Stalled { get; init; }
}
