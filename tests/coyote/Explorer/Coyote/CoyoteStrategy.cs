using Membership.Explorer.Strategies;
using Microsoft.Coyote.Random;

namespace Membership.Explorer.Coyote;

/// <summary>One of our strategies above Coyote's generator: its seed is drawn there, data choices are made there, and each schedule choice draws once, so that Coyote counts the step.</summary>
internal sealed class CoyoteStrategy(Generator generator, Strategy inner) : Strategy
{
    public override void Begin(ulong seed)
    {
        inner.Begin((ulong)generator.NextInteger(int.MaxValue));
        IsFair = inner.IsFair;
    }

    public override int Pick(ReadOnlySpan<int> ids, ReadOnlySpan<int> places)
    {
        generator.NextInteger(1);
        var index = inner.Pick(ids, places);
        IsFair = inner.IsFair;
        return index;
    }

    public override void Forced(int id, bool isActor)
    {
        generator.NextInteger(1);
        inner.Forced(id, isActor);
        IsFair = inner.IsFair;
    }

    public override int Integer(int exclusiveMax) => generator.NextInteger(exclusiveMax);

    public override bool Boolean() => generator.NextBoolean();

    public override bool TurnFair() => inner.TurnFair() && base.TurnFair();

    /// <summary>Coyote interrupts the thread to end an iteration.</summary>
    public override bool IsFailure(Exception thrown) => thrown.GetBaseException() is not ThreadInterruptedException;
}
