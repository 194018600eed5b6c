namespace Membership.Fuzz.Engine;

/// <summary>Runs one input and says what it did wrong: an exception, or more memory than promised.</summary>
internal sealed class Judge(Target target)
{
    private const int ShrinkTriesMax = 4000;

    /// <summary>Most that one run allocated, bytes.</summary>
    public long AllocatedMax { get; private set; }

    /// <summary>Loads what a first run loads. A failure shows when it is run again.</summary>
    public void WarmUp(byte[] input)
    {
        target.Reset();
        _ = Run(input, out _);
        _ = Run(input, out _);
        AllocatedMax = 0;
        target.Reset();
    }

    /// <summary>Null when all is well, else what is not.</summary>
    public (string Kind, string Text)? Run(ReadOnlySpan<byte> input, out int reason)
    {
        reason = 0;
        try
        {
            target.Prepare();
            var allocated = Measure(input, out reason);
            if (allocated <= target.AllocationMax(input.Length) || target.IsStateful) return Within(allocated, input);

            // The first run through a path loads types and strings: only what is allocated again is the parser's.
            allocated = Math.Min(Measure(input, out reason), Measure(input, out reason));
            return Within(allocated, input);
        }
        catch (Exception crash)
        {
            return ("crash", $"{crash.GetType().Name}: {crash.Message} {Place(crash)}");
        }
    }

    /// <summary>A shorter input that fails alike.</summary>
    public byte[] Shrink(ReadOnlySpan<byte> input)
    {
        var best = input.ToArray();
        if (Run(best, out _) is not { } wanted) return best;
        var tries = 0;
        for (var size = best.Length / 2; size > 0 && tries < ShrinkTriesMax; size /= 2)
        {
            for (var at = 0; at + size <= best.Length && tries < ShrinkTriesMax;)
            {
                tries++;
                byte[] shorter = [.. best.AsSpan(0, at), .. best.AsSpan(at + size)];
                if (Run(shorter, out _) is { } still && still.Kind == wanted.Kind) best = shorter;
                else at += size;
            }
        }

        return best;
    }

    private long Measure(ReadOnlySpan<byte> input, out int reason)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        reason = target.Run(input);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private (string, string)? Within(long allocated, ReadOnlySpan<byte> input)
    {
        AllocatedMax = Math.Max(AllocatedMax, allocated);
        var limit = target.AllocationMax(input.Length);
        return allocated <= limit ? null : ("allocation", "more memory than promised");
    }

    private static string Place(Exception crash)
    {
        var frame = crash.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Membership.", StringComparison.Ordinal)) ?? "";
        var end = frame.IndexOf(" in ", StringComparison.Ordinal);
        return (end < 0 ? frame : frame[..end]).Trim();
    }
}
