using System.Threading.Channels;

namespace Membership.Cli.Demo;

/// <summary>What all parts of one demo share.</summary>
internal sealed class DemoWorld(
    int nodes, string program, DemoFolder folder, ChildStarter starter, ChannelWriter<DemoEvent> events, TimeProvider time, int seed)
{
    /// <summary>Number of nodes, 1 and up.</summary>
    public int Nodes { get; } = nodes;

    /// <summary>The daemon's program file.</summary>
    public string Program { get; } = program;

    /// <summary>Where everything lies.</summary>
    public DemoFolder Folder { get; } = folder;

    /// <summary>Starts the daemons.</summary>
    public ChildStarter Starter { get; } = starter;

    /// <summary>To the owner of the picture.</summary>
    public ChannelWriter<DemoEvent> Events { get; } = events;

    /// <summary>The demo's clock.</summary>
    public TimeProvider Time { get; } = time;

    /// <summary>Seed of payloads, sizes and the choice of the port.</summary>
    public int Seed { get; } = seed;

    /// <summary>The faults in force; a node that starts later gets them too.</summary>
    public FaultPlan Faults { get => Volatile.Read(ref _faults); set => Volatile.Write(ref _faults, value); }

    /// <summary>Messages per second of all nodes together; 0 = silence.</summary>
    public double PumpRate { get => Volatile.Read(ref _pumpRate); set => Volatile.Write(ref _pumpRate, value); }

    private FaultPlan _faults = FaultPlan.None;
    private double _pumpRate;
}
