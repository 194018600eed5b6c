namespace Membership.Explorer;

/// <summary>What one iteration was; one object per thread, filled anew each time.</summary>
internal sealed class IterationOutcome
{
    private Decision[] _decisions = new Decision[256];

    /// <summary>The answers given, those with an alternative.</summary>
    public ReadOnlySpan<Decision> Decisions => _decisions.AsSpan(0, Choices);

    public int Choices { get; private set; }

    /// <summary>Schedule choices, forced ones too.</summary>
    public int Steps { get; set; }

    /// <summary>The step from which on scheduling was fair.</summary>
    public int FairFrom { get; set; }

    /// <summary>Tells schedules apart.</summary>
    public ulong Path { get; private set; }

    /// <summary>Tells sequences of told states apart.</summary>
    public ulong StatesPath { get; set; }

    /// <summary>States told that this thread had not seen.</summary>
    public int NewStates { get; set; }

    /// <summary>Choices made when the last of them was told: what follows led to nothing new.</summary>
    public int ChoicesToNews { get; set; }

    /// <summary>The step bound ended it.</summary>
    public bool IsCutOff { get; set; }

    /// <summary>It ended at a state that had been explored.</summary>
    public bool IsPruned { get; set; }

    public bool HasFailed { get; private set; }

    public FailureKind Kind { get; private set; }

    public string Message { get; private set; } = "";

    public string Identity { get; private set; } = "";

    public string Details { get; set; } = "";

    public void Clear()
    {
        Choices = 0;
        Steps = 0;
        FairFrom = int.MaxValue;
        Path = 0;
        StatesPath = 0;
        NewStates = 0;
        ChoicesToNews = 0;
        IsCutOff = false;
        IsPruned = false;
        HasFailed = false;
        Details = "";
    }

    public void Add(ChoiceKind kind, int value, int offered, int actor, int place)
    {
        if (Choices == _decisions.Length) Array.Resize(ref _decisions, Choices * 2);
        _decisions[Choices++] = new Decision(kind, value, offered, actor, place);
        Path = SplitMix.Mix(Path ^ ((ulong)kind << 60) ^ (uint)value);
    }

    /// <summary>The first failure counts.</summary>
    public void Fail(FailureKind kind, string message, string identity)
    {
        if (HasFailed) return;
        HasFailed = true;
        (Kind, Message, Identity) = (kind, message, identity);
    }

    /// <summary>The failure with the trace that leads to it.</summary>
    public Failure ToFailure(bool endsFair = false) => new()
    {
        Kind = Kind,
        Message = Message,
        Identity = Identity,
        Details = Details,
        Step = Steps,
        Trace = ToTrace(endsFair),
    };

    public Trace ToTrace(bool endsFair = false) =>
        new(Decisions.ToArray(), Kind == FailureKind.Liveness && HasFailed && !endsFair && FairFrom != int.MaxValue ? FairFrom : null, endsFair);
}
