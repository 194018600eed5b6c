namespace Membership.Fuzz.Engine;

/// <summary>A seed with a name that says what it is.</summary>
internal readonly record struct Seed(string Name, byte[] Bytes);

/// <summary>One parser under test. An instance belongs to one thread.</summary>
internal abstract class Target
{
    /// <summary>Part and parser, as <c>totem/token</c>; also the folder of its corpus.</summary>
    public abstract string Name { get; }

    /// <summary>Every way a run may end, by name. A campaign in which one of them is rare says nothing, and is void.</summary>
    public abstract IReadOnlyList<string> Reasons { get; }

    /// <summary>What the real encoders write, and for each reason something that leads to it.</summary>
    public abstract IEnumerable<Seed> Seeds();

    /// <summary>The seeds are kept as files, and a change of the format shows there. Not those made from the proto files, which grow all the time.</summary>
    public virtual bool KeepsSeeds => true;

    /// <summary>Words and constants of the format.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Inputs are at most this long, bytes.</summary>
    public virtual int LengthMax => 1024;

    /// <summary>Text is mutated by lines and words too, and its corpus is kept as text.</summary>
    public virtual bool IsText => false;

    /// <summary>What one run may allocate on its thread for an input of so many bytes. Whoever promises less than 4 x input + 1 KiB says why.</summary>
    public virtual long AllocationMax(int length) => (4L * length) + 1024;

    /// <summary>Executions per second and core that this parser is expected to reach; 0: none are promised.</summary>
    public virtual int RateMin => 20_000;

    /// <summary>Share of a campaign, in parts.</summary>
    public virtual int Weight => 8;

    /// <summary>Runs depend on those before; <see cref="Reset"/> goes back to the beginning.</summary>
    public virtual bool IsStateful => false;

    /// <summary>Begins a block of executions.</summary>
    public virtual void Reset()
    {
    }

    /// <summary>Makes a mutated input reach what lies behind a checksum or a length; called for three of four inputs.</summary>
    public virtual void Repair(Span<byte> input)
    {
    }

    /// <summary>What has to happen before the next run and is not part of it.</summary>
    public virtual void Prepare()
    {
    }

    /// <summary>Parses. Returns the index of the reason; throws only what is a crash.</summary>
    public abstract int Run(ReadOnlySpan<byte> input);
}

/// <summary>A parser promised something and did not keep it.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);
