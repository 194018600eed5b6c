namespace Membership.Daemon.State;

/// <summary>Makes ring sequences durable without ever blocking its caller.</summary>
internal interface IReservationStore
{
    /// <summary>Make sequences up to <paramref name="upTo"/> durable, then tell the sink. At most one request is under way.</summary>
    void Request(ulong upTo, IReservationSink sink);
}

/// <summary>Hears from the persistence thread.</summary>
internal interface IReservationSink
{
    /// <summary>Sequences up to <paramref name="upTo"/> are on disk in two generations' worth of safety.</summary>
    void Reserved(ulong upTo);

    /// <summary>The write failed; the message names path and errno. The node must leave.</summary>
    void ReservationFailed(string message);
}
