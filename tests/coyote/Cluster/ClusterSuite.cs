using System.Runtime.CompilerServices;
using Membership.Exploration.Cluster.Copying;
using Membership.Explorer;
using Membership.Virtual;

namespace Membership.Exploration.Cluster;

/// <summary>One thing that is searched for: where its iterations begin, what may happen in them and what is promised meanwhile and at the end.</summary>
public sealed class ClusterSuite
{
    private readonly Action<Play> _script;
    private readonly Template _template;
    private readonly ConditionalWeakTable<Thread, Snapshot<Start>> _beginnings = [];

    internal ClusterSuite(string name, string safety, string liveness, Template template, Action<Play> script)
    {
        (Name, Safety, Liveness, _template, _script) = (name, safety, liveness, template, script);
    }

    /// <summary>Lower case, words joined by hyphens.</summary>
    public string Name { get; }

    /// <summary>What must hold after every step. All suites check the rules of tests/Invariants; here is what this one is after.</summary>
    public string Safety { get; }

    /// <summary>What must become true once faults have ended.</summary>
    public string Liveness { get; }

    /// <summary>As the runner knows it.</summary>
    public Suite AsSuite => new() { Name = Name, Promise = $"{Safety}. In the end: {Liveness}.", Explore = exploration => Run(exploration) };

    /// <summary>Where the iterations of this thread begin.</summary>
    internal Snapshot<Start> Beginning => _beginnings.GetValue(Thread.CurrentThread, _ => _template.Build());

    /// <param name="distort">Makes the world tell something that did not happen: for tests of the alarm.</param>
    internal Play Run(IExploration exploration, Action<World>? distort = null)
    {
        var play = new Play(exploration, Beginning.Copy());
        distort?.Invoke(play.World);
        _script(play);
        return play;
    }

    public override string ToString() => Name;
}
