namespace Membership.Explorer.Tests;

/// <summary>Small models whose schedules, states and bugs can be counted by hand.</summary>
internal static class Models
{
    /// <summary>Each of <paramref name="actors"/> takes <paramref name="steps"/> steps; nothing else happens.</summary>
    public static Action<IExploration> Grid(int actors, int steps, bool observes) => exploration =>
    {
        Span<int> done = stackalloc int[actors];
        Span<int> enabled = stackalloc int[actors];
        if (observes) exploration.Observe(Hash(done));
        for (var count = Enabled(done, steps, enabled); count > 0; count = Enabled(done, steps, enabled))
        {
            done[enabled[exploration.PickNext(enabled[..count])]]++;
            if (observes) exploration.Observe(Hash(done));
        }
    };

    /// <summary>Clients read a register, then write what they read plus one. Two reads before a write lose an update.</summary>
    public static Action<IExploration> LostUpdate(int clients, bool observes) => exploration =>
    {
        Span<int> done = stackalloc int[clients + 1];
        Span<int> enabled = stackalloc int[clients];
        Span<int> read = stackalloc int[clients];
        ref var register = ref done[clients];
        for (var count = Enabled(done[..clients], 2, enabled); count > 0; count = Enabled(done[..clients], 2, enabled))
        {
            var client = enabled[exploration.PickNext(enabled[..count])];
            if (done[client]++ == 0) read[client] = register;
            else register = read[client] + 1;
            if (observes) exploration.Observe(SplitMix.Mix(Hash(done)) ^ Hash(read));
        }
        exploration.Assert(register == clients, $"an update was lost, the register holds {register}");
    };

    /// <summary>
    /// Five actors of 20 steps. The bug wants three things in order: 0 is 10 steps ahead before 1 begins; 1 ends before 0 takes its 13th; 0 ends while 2 has taken at most 10.
    /// </summary>
    public static Action<IExploration> DepthThree(Action hit) => exploration =>
    {
        const int actors = 5, steps = 20;
        Span<int> done = stackalloc int[actors];
        Span<int> enabled = stackalloc int[actors];
        var (isAhead, isOvertaken) = (false, false);
        for (var count = Enabled(done, steps, enabled); count > 0; count = Enabled(done, steps, enabled))
        {
            var actor = enabled[exploration.PickNext(enabled[..count])];
            done[actor]++;
            if (actor == 1 && done[1] == 1) isAhead = done[0] >= 10;
            if (actor == 1 && done[1] == steps) isOvertaken = isAhead && done[0] <= 12;
            if (actor == 0 && done[0] == steps && isOvertaken && done[2] <= 10) hit();
        }
    };

    /// <summary>Ten rounds of noise. The bug: actor 2 with a number from 37 on and true, later actor 1.</summary>
    public static void Planted(IExploration exploration)
    {
        var isArmed = false;
        for (var round = 0; round < 10; round++)
        {
            var actor = exploration.PickNext([0, 1, 2, 3]);
            var number = exploration.NextInteger(100);
            var isSet = exploration.NextBoolean();
            exploration.Assert(!(isArmed && actor == 1), $"planted, in round {round}");
            isArmed |= actor == 2 && number >= 37 && isSet;
        }
    }

    /// <summary>A lock of twelve digits below 4; the state is how many were right.</summary>
    public static void CombinationLock(IExploration exploration)
    {
        int[] code = [3, 1, 2, 0, 3, 3, 1, 2, 0, 1, 2, 3];
        for (var at = 0; at < code.Length; at++)
        {
            if (exploration.NextInteger(4) != code[at]) return;
            exploration.Observe((ulong)at + 1);
        }
        exploration.Assert(false, "the lock is open");
    }

    /// <summary>A client asks, a server answers when it runs; under any fair schedule the answer comes. With the bug, a server that was asked before it started forgets.</summary>
    public static Action<IExploration> Request(bool hasBug) => exploration =>
    {
        int[] actors = [0, 1, 2];
        var (hasAsked, hasStarted, isKnown) = (false, false, false);
        while (true)
        {
            switch (actors[exploration.PickNext(actors)])
            {
                case 0 when !hasAsked:
                    hasAsked = true;
                    isKnown = hasStarted || !hasBug;
                    exploration.Hot("answer");
                    break;
                case 1:
                    hasStarted = true;
                    if (isKnown) exploration.Cold("answer");
                    break;
                default:
                    break;
            }
        }
    };

    private static int Enabled(ReadOnlySpan<int> done, int steps, Span<int> enabled)
    {
        var count = 0;
        for (var actor = 0; actor < done.Length; actor++)
        {
            if (done[actor] < steps) enabled[count++] = actor;
        }
        return count;
    }

    private static ulong Hash(ReadOnlySpan<int> values)
    {
        var hash = 17UL;
        foreach (var value in values) hash = (hash * 1_000_003) + (uint)value;
        return hash;
    }
}
