using System.Runtime.CompilerServices;
using Membership.Exploration.Cluster.Copying;
using Membership.Explorer;
using Membership.Links;
using Membership.Quorum;
using Membership.Totem;
using Membership.Virtual;

namespace Membership.Exploration.Cluster.Ideal;

/// <summary>Small models of the ring and of quorum of which everything is tried, within the bounds that each states.</summary>
public sealed class IdealSuites : ISuites
{
    private const string Always = "I7 to I14, I16 to I30 in every order of all messages, news and timers";

    /// <inheritdoc/>
    public IEnumerable<Suite> All =>
    [
        Of("ideal-formation-2", 2, isFormed: false, new Faults { EarlyTimers = 2 }),
        Of("ideal-crash-2", 2, isFormed: true, new Faults { Crashes = 1, Messages = 1, EarlyTimers = 1 }),
        Of("ideal-cut-2", 2, isFormed: true, new Faults { Cuts = 1, Messages = 1 }),
        Of("ideal-loss-join-2", 2, isFormed: false, new Faults { Lost = DatagramKind.Join, Losses = 2 }),
        Of("ideal-loss-commit-token-2", 2, isFormed: false, new Faults { Lost = DatagramKind.CommitToken, Losses = 2 }),
        Of("ideal-loss-token-2", 2, isFormed: true, new Faults { Lost = DatagramKind.Token, Losses = 2, Messages = 1 }),
        Of("ideal-loss-data-2", 2, isFormed: true, new Faults { Lost = DatagramKind.Data, Losses = 2, Messages = 1 }),
        Of("ideal-formation-3", 3, isFormed: false, new Faults { EarlyTimers = 1 }),
        Of("ideal-crash-3", 3, isFormed: true, new Faults { Crashes = 1, Messages = 1, EarlyTimers = 1 }),
        Of("ideal-cut-3", 3, isFormed: true, new Faults { Cuts = 1, Messages = 1 }),
        Of("ideal-loss-join-3", 3, isFormed: false, new Faults { Lost = DatagramKind.Join, Losses = 2 }),
        Of("ideal-loss-commit-token-3", 3, isFormed: false, new Faults { Lost = DatagramKind.CommitToken, Losses = 2 }),
        Of("ideal-loss-token-3", 3, isFormed: true, new Faults { Lost = DatagramKind.Token, Losses = 2, Messages = 1 }),
        Of("ideal-loss-data-3", 3, isFormed: true, new Faults { Lost = DatagramKind.Data, Losses = 2, Messages = 1 }),
    ];

    /// <summary>Departures from the order of the machines that runs of three nodes may have, one for each place that a choice is put back; two nodes have any number.</summary>
    private const int DelaysOfThree = 4;

    private const long IterationsMax = 200_000;

    private static Suite Of(string name, int nodes, bool isFormed, Faults faults)
    {
        var beginnings = new ConditionalWeakTable<Thread, Beginning>();
        return new Suite
        {
            Name = name,
            Promise = $"{Always}, with {faults.Text}. In the end: one view of all that run.",
            Strategies = nodes == 2 ? "dfs" : $"dfs{DelaysOfThree}",
            ExhaustedWithin = IterationsMax,
            Explore = exploration =>
            {
                var (snapshot, hasher) = beginnings.GetValue(Thread.CurrentThread, _ => Begin(nodes, isFormed));
                snapshot.Copy().Explore(exploration, faults, hasher);
            },
        };
    }

    private sealed record Beginning(Snapshot<IdealCluster> Snapshot, StateHasher Hasher);

    private static Beginning Begin(int nodes, bool isFormed)
    {
        var cluster = new IdealCluster(nodes);
        if (isFormed) cluster.Form();
        else cluster.StartAll();
        return new Beginning(new Snapshot<IdealCluster>(cluster, Sharing), new StateHasher(Hashing));
    }

    private static SharingRules Sharing { get; } = new()
    {
        IsShared = type =>
            type == typeof(NodeTable) || type == typeof(View) || type == typeof(QuorumRecord) || type == typeof(QuorumTerms) ||
            type == typeof(TotemOptions) || type == typeof(QuorumOptions),
    };

    private static HashingRules Hashing { get; } = new()
    {
        Ignored = [typeof(NodeTable), typeof(TotemOptions), typeof(QuorumOptions), typeof(TotemCounters), typeof(FramePool), typeof(Cliques), typeof(HearingMatrix), typeof(QuorumLease)],
        IgnoredFields =
        [
            "TimerTable._earliest", "TimerTable._isStale", "TotemNode._packet", "TotemNode._incoming", "TotemNode._received", "TotemNode._receivedCommit",
            "List._version", "Queue._version", "SortedSet.version", "SortedDictionary._keys", "SortedDictionary._values", "QuorumNode.<Malformed>k__BackingField",
            "TotemNode._passedAt", "QuorumNode._confirmed", "QuorumNode._confirmedSince", "QuorumNode._cameWhole", "QuorumNode._carried", // decide no more than what a lease says
        ],
        Special = new()
        {
            [typeof(MessageWindow)] = static (value, hasher) =>
            {
                var window = (MessageWindow)value;
                hasher.Add((long)window.Released.Value);
                hasher.Add((long)window.Aru.Value);
                hasher.Add((long)window.High.Value);
                hasher.Add((long)window.Delivered.Value);
                hasher.Add((long)window.Stable.Value);
                for (var seq = window.Released.Next; seq <= window.High; seq = seq.Next)
                {
                    if (window.Contains(seq)) hasher.AddBytes(window[seq]);
                    else hasher.Add(-1);
                }
            },
            [typeof(SendQueue)] = static (value, hasher) =>
            {
                var queue = (SendQueue)value;
                hasher.Add(queue.Count);
                hasher.Add(queue.Bytes);
                hasher.Add((long)queue.HeadCounter);
            },
        },
    };
}
