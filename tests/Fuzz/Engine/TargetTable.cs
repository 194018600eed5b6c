using Membership.Fuzz.Targets;

namespace Membership.Fuzz.Engine;

/// <summary>Every parser that takes bytes from outside.</summary>
internal static class TargetTable
{
    public static IReadOnlyList<Func<Target>> All { get; } =
    [
        () => new DatagramTarget(), () => new HandshakeTarget(), () => new LinkBodyTarget(), () => new NodeTarget(),
        () => new TokenTarget(), () => new CommitTokenTarget(), () => new JoinTarget(), () => new DataFrameTarget(),
        () => new GroupMessageTarget(), () => new JoinListTarget(), () => new QuorumMessageTarget(), () => new QuorumRecordTarget(),
        () => new ReservationTarget(), () => new QuorumFileTarget(), () => new KeyFileTarget(),
        () => new ConfigurationTarget(), () => new WitnessConfigurationTarget(), () => new CorosyncTarget(),
        () => new GrpcFrameTarget(), () => new GrpcHeaderTarget(), () => new RequestTarget(), () => new WireReaderTarget(), () => new GroupResponseTarget(), () => new RingEventsTarget(), () => new RichErrorTarget(), () => new SendBatchTarget(),
        () => new WitnessHelloTarget(), () => new WitnessReportTarget(), () => new RoleTarget(),
        () => new UnitsTarget(), () => new DurationTarget(), () => new DaemonArgumentsTarget(), () => new CliArgumentsTarget(), () => new EndpointTarget(),
    ];

    /// <summary>Names of all targets, for xunit.</summary>
    public static IEnumerable<string> Names => All.Select(make => make().Name);

    /// <summary>A new instance of the target of this name; null when there is none.</summary>
    public static Func<Target>? Find(string name) => All.FirstOrDefault(make => make().Name == name);
}
