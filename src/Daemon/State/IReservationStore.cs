using Membership.Quorum;

namespace Membership.Daemon.State;

/// <summary>Makes ring sequences and quorum's record durable without ever blocking its caller.</summary>
internal interface IReservationStore
{
    /// <summary>Make sequences up to <paramref name="upTo"/> durable, then tell the sink. At most one request is under way.</summary>
    void Request(ulong upTo, IReservationSink sink);

    /// <summary>Make quorum's record durable, then tell the sink. Of records that wait, the newest alone is written.</summary>
    void Persist(QuorumRecord record, IReservationSink sink);
}

/// <summary>Hears from the persistence thread.</summary>
internal interface IReservationSink
{
    /// <summary>Sequences up to <paramref name="upTo"/> are on disk in two generations' worth of safety.</summary>
    void Reserved(ulong upTo);

    /// <summary>This record is on disk, in two generations.</summary>
    void QuorumPersisted(QuorumRecord record);

    /// <summary>The write failed; the message names path and errno. The node must leave.</summary>
    void ReservationFailed(string message);
}
