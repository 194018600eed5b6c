namespace Membership.Explorer;

/// <summary>What was asked.</summary>
public enum ChoiceKind : byte
{
    /// <summary>Which actor or event goes next.</summary>
    Schedule,

    /// <summary>Yes or no.</summary>
    Boolean,

    /// <summary>A number.</summary>
    Integer,
}

/// <summary>One answer of an iteration. Questions with a single possible answer leave none.</summary>
/// <param name="Kind">What was asked.</param>
/// <param name="Value">The answer: an index, 0 or 1, or the number.</param>
/// <param name="Offered">How many answers there were; 0 when it came from text and nobody knows.</param>
/// <param name="Actor">Of a schedule choice: the id at that index.</param>
/// <param name="Place">Of a schedule choice: where it happens; for actors their id.</param>
public readonly record struct Decision(ChoiceKind Kind, int Value, int Offered = 0, int Actor = 0, int Place = 0)
{
    /// <summary>The same question with another answer, whose actor is not known.</summary>
    public Decision With(int value) => new(Kind, value);
}
