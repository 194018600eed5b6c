using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>Models with a planted bug. A run that does not find them has a broken alarm.</summary>
public sealed class Canaries : ISuites
{
    private const int Clients = 2;

    /// <inheritdoc/>
    public IEnumerable<Suite> All =>
    [
        new Suite
        {
            Name = "canary-lost-update",
            Promise = "Two clients that each add one to a register leave 2 in it. They do not: both may read before either writes.",
            Explore = LostUpdate,
            StepsMax = 20,
            MustFail = true,
        },
        new Suite
        {
            Name = "canary-never-cooled",
            Promise = "A request is answered in the end. It is not: a server that is asked while it starts forgets the question.",
            Explore = Forgotten,
            StepsMax = 50,
            LivenessSteps = 100,
            MustFail = true,
        },
        new Suite
        {
            Name = "canary-throws",
            Promise = "Nothing throws. One data choice of sixteen does.",
            Explore = Throws,
            StepsMax = 20,
            MustFail = true,
        },
    ];

    private static void LostUpdate(IExploration exploration)
    {
        var register = 0;
        Span<int> read = stackalloc int[Clients];
        Span<int> done = stackalloc int[Clients];
        Span<int> enabled = stackalloc int[Clients];
        while (Enabled(done, enabled) is > 0 and var count)
        {
            var client = enabled[exploration.PickNext(enabled[..count])];
            if (done[client]++ == 0) read[client] = register;
            else register = read[client] + 1;
            exploration.Observe((ulong)((register * 1000) + (read[0] * 100) + (read[1] * 10) + (done[0] * 3) + done[1]));
        }
        exploration.Assert(register == Clients, $"an update was lost: the register holds {register}");
    }

    private static int Enabled(ReadOnlySpan<int> done, Span<int> enabled)
    {
        var count = 0;
        for (var client = 0; client < done.Length; client++)
        {
            if (done[client] < 2) enabled[count++] = client;
        }
        return count;
    }

    private static void Forgotten(IExploration exploration)
    {
        const int client = 0, server = 1, clock = 2;
        int[] actors = [client, server, clock];
        var (hasAsked, hasStarted, isKnown) = (false, false, false);
        while (true)
        {
            switch (actors[exploration.PickNext(actors)])
            {
                case client when !hasAsked:
                    hasAsked = true;
                    isKnown = hasStarted;
                    exploration.Hot("answer");
                    break;
                case server:
                    hasStarted = true;
                    if (isKnown) exploration.Cold("answer");
                    break;
                default:
                    break;
            }
            exploration.Observe((hasAsked ? 1UL : 0) + (hasStarted ? 2UL : 0) + (isKnown ? 4UL : 0));
        }
    }

    private static void Throws(IExploration exploration)
    {
        if (exploration.NextInteger(16) == 11) throw new InvalidOperationException("eleven");
    }
}
