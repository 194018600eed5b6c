using System.Runtime.CompilerServices;

namespace Membership.Explorer;

/// <summary>The only source of nondeterminism of a schedule test: every choice of an iteration is asked for here, so whoever answers owns the schedule.</summary>
/// <remarks>
/// A test is a function of the answers. Time is the test's own (virtual), threads and clocks do not exist. Schedule choices
/// (<c>PickNext</c>) and data choices (<see cref="NextInteger"/>) are told apart, because priorities, delay bounds and shrinking treat them differently.
/// By convention the first actor, false and 0 are the plain course of events and the last ones are faults: a replay that has used up its trace, and shrinking, go that way.
/// Calls may throw to end the iteration (enough steps, state already explored, assertion failed): let that pass, with <c>finally</c> but without <c>catch</c>.
/// </remarks>
public interface IExploration
{
    /// <summary>A data choice between two.</summary>
    bool NextBoolean();

    /// <summary>A data choice.</summary>
    /// <param name="exclusiveMax">From 1 on; the answer is below it.</param>
    int NextInteger(int exclusiveMax);

    /// <summary>A schedule choice: which of the enabled actors goes next.</summary>
    /// <param name="enabledActors">Ids, at least one. The same prefix of answers must lead to the same ids in the same order.</param>
    /// <returns>An index into <paramref name="enabledActors"/>.</returns>
    int PickNext(ReadOnlySpan<int> enabledActors);

    /// <summary>A schedule choice among pending events, each with the place (node, link) where it happens: events of one place race, others commute.</summary>
    /// <param name="enabledEvents">Ids, at least one, stable across runs of one prefix.</param>
    /// <param name="places">As many; where each event happens.</param>
    /// <returns>An index into <paramref name="enabledEvents"/>.</returns>
    int PickNext(ReadOnlySpan<int> enabledEvents, ReadOnlySpan<int> places);

    /// <summary>Tells a fingerprint of the whole state: for coverage, and for pruning in exhaustive search.</summary>
    void Observe(ulong stateHash);

    /// <summary>Ends the iteration as failed unless <paramref name="condition"/> holds.</summary>
    /// <param name="condition">What must hold here.</param>
    /// <param name="message">Names the invariant; digits in it do not tell failures apart.</param>
    void Assert(bool condition, string message);

    /// <summary>As <see cref="Assert(bool, string)"/>; the text is only put together when the condition does not hold.</summary>
    void Assert(bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref AssertionText message)
    {
        if (!condition) Assert(false, message.ToString());
    }

    /// <summary>From here on something is owed: <see cref="Cold"/> must follow before the fair steps of the iteration run out.</summary>
    void Hot(string monitor);

    /// <summary>What was owed has happened.</summary>
    void Cold(string monitor);

    /// <summary>True in a replay that somebody reads: then <see cref="Tell"/> each step. In campaigns it is false, and composing text would be waste.</summary>
    bool IsTold { get; }

    /// <summary>One line for the reader of a replay: what happens now, to whom. Never decides anything.</summary>
    void Tell(string line);
}
