using Microsoft.Coyote.Specifications;
using CoyoteMonitor = Microsoft.Coyote.Specifications.Monitor;

namespace Membership.Explorer.Coyote;

/// <summary>What the test sees on Coyote: our seam, which also tells Coyote the state and whether anything is owed.</summary>
internal sealed class CoyoteSeam(IExploration seam) : IExploration
{
    private readonly HashSet<string> _owed = [];

    /// <summary>The state told last, as Coyote's state hash.</summary>
    public int StateHash { get; private set; }

    public bool IsTold => seam.IsTold;

    public bool NextBoolean() => seam.NextBoolean();

    public int NextInteger(int exclusiveMax) => seam.NextInteger(exclusiveMax);

    public int PickNext(ReadOnlySpan<int> enabledActors) => seam.PickNext(enabledActors);

    public int PickNext(ReadOnlySpan<int> enabledEvents, ReadOnlySpan<int> places) => seam.PickNext(enabledEvents, places);

    public void Observe(ulong stateHash)
    {
        StateHash = unchecked((int)(stateHash ^ (stateHash >> 32)));
        seam.Observe(stateHash);
    }

    public void Assert(bool condition, string message) => seam.Assert(condition, message);

    public void Hot(string monitor)
    {
        seam.Hot(monitor);
        if (_owed.Add(monitor) && _owed.Count == 1) Specification.Monitor<Debts>(new Debts.Due());
    }

    public void Cold(string monitor)
    {
        seam.Cold(monitor);
        if (_owed.Remove(monitor)) ForgiveIfNothingIsOwed();
    }

    public void Tell(string line) => seam.Tell(line);

    /// <summary>An iteration that was cut off owes nothing.</summary>
    public void Forgive()
    {
        if (_owed.Count == 0) return;
        _owed.Clear();
        ForgiveIfNothingIsOwed();
    }

    private void ForgiveIfNothingIsOwed()
    {
        if (_owed.Count == 0) Specification.Monitor<Debts>(new Debts.Paid());
    }

    /// <summary>Coyote's view of what is owed: hot while anything is.</summary>
    internal sealed class Debts : CoyoteMonitor
    {
        internal sealed class Due : Event;

        internal sealed class Paid : Event;

        [Start]
        [Cold]
        [OnEventGotoState(typeof(Due), typeof(Owing))]
        private sealed class Settled : State;

        [Hot]
        [OnEventGotoState(typeof(Paid), typeof(Settled))]
        private sealed class Owing : State;
    }
}
