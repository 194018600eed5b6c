namespace Membership.Explorer.Strategies;

/// <summary>Answers the questions of one iteration after the other. One instance per thread.</summary>
internal abstract class Strategy
{
    /// <summary>From here on every enabled actor is chosen sooner or later; only such steps count against what is owed.</summary>
    public bool IsFair { get; protected set; }

    /// <summary>A new iteration; everything it does follows from the seed and what this instance has learned.</summary>
    public abstract void Begin(ulong seed);

    /// <summary>Which of at least two goes next. <paramref name="places"/> is empty when <paramref name="ids"/> are actors, else as long.</summary>
    public abstract int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places);

    /// <summary>The only one enabled goes next: an actor, or an event.</summary>
    public virtual void Forced(int id, bool isActor)
    {
    }

    /// <summary>A number below <paramref name="exclusiveMax"/>, which is at least 2.</summary>
    public abstract int Integer(int exclusiveMax);

    /// <summary>One of two.</summary>
    public virtual bool Boolean() => Integer(2) == 1;

    /// <summary>Schedule fairly from now on.</summary>
    /// <returns>False when this strategy cannot.</returns>
    public virtual bool TurnFair()
    {
        IsFair = true;
        return true;
    }

    /// <summary>The test tells its state. False: everything from here on has been explored, end the iteration.</summary>
    public virtual bool GoesOnFrom(ulong state, int stepsLeft) => true;

    /// <summary>The iteration is over.</summary>
    public virtual void End(IterationOutcome outcome)
    {
    }

    /// <summary>False for an exception that the ground below this strategy throws for its own ends.</summary>
    public virtual bool IsFailure(Exception thrown) => true;

    /// <summary>In words, how this iteration showed that the test is not deterministic; null when it did not.</summary>
    public virtual string? Contradiction => null;
}
