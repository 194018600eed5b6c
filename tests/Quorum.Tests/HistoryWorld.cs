using Membership.Links;
using Membership.Totem;

namespace Membership.Quorum.Tests;

/// <summary>A promise was broken; the message says which, and where in the history.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);

/// <summary>Quorum nodes on an ideal extended virtual synchrony: rings order messages, members receive prefixes, those that go on together deliver the same.</summary>
/// <remarks>Everything follows from the seed. Checks I29 (one quorate side), I30 (primaries follow on each other) and I32 (one verdict per place of the order).</remarks>
internal sealed class HistoryWorld
{
    private static readonly TimeSpan StepTime = TimeSpan.FromMilliseconds(50);

    private readonly Func<NodeId, QuorumOptions> _options;
    private readonly Random _random;
    private readonly Dictionary<(RingId Ring, int Place), string> _verdicts = [];
    private readonly List<string> _trace = [];
    private readonly Dictionary<RingId, RingId> _primaries = [];
    private ulong _ringSequence;
    private ulong _boot;
    private HistoryNode[] _lastPrimary = [];
    private NodeId[] _lastPrimaryNodes = [];
    private NodeId? _chosenByWitness;

    public HistoryWorld(int seed, int nodes, Func<NodeId, QuorumOptions> options)
    {
        _random = new Random(seed);
        _options = options;
        Nodes = [.. Enumerable.Range(1, nodes).Select(i => new HistoryNode(this, new NodeId((ushort)i)))];
    }

    public IReadOnlyList<HistoryNode> Nodes { get; }

    public Instant Now { get; private set; }

    public Random Random => _random;

    public bool HasWitness => _options(Nodes[0].Id).Witness != WitnessAlgorithm.None;

    /// <summary>False once something happened that the documentation excepts.</summary>
    public bool ChecksUniqueness { get; set; } = true;

    public int Primaries { get; private set; }

    public int Changes { get; set; }

    public IEnumerable<string> Trace => _trace;

    public IEnumerable<HistoryNode> Running => Nodes.Where(node => node.Core is not null);

    public void Note(string line) => _trace.Add($"{Now} {line}");

    public void Start(HistoryNode node)
    {
        node.Start(_options(node.Id), ++_boot);
        Note($"start {node.Id} record {(node.Durable is null ? "none" : $"epoch {node.Durable.Epoch} terms {node.Durable.Terms.Counter}")}");
    }

    public void Stop(HistoryNode node, bool losesDisk)
    {
        node.Stop(losesDisk);
        Note($"stop {node.Id}{(losesDisk ? " and loses its disk" : "")}");
    }

    /// <summary>One thing happens somewhere: a message is ordered, received or delivered, a write ends, a deadline comes.</summary>
    public void Step()
    {
        Now += StepTime * _random.NextDouble();
        var node = Nodes[_random.Next(Nodes.Count)];
        if (node.Core is null) return;
        if (node.Next is not null)
        {
            // Between two rings a node does nothing but go over.
            if (_random.Next(3) == 0) node.Install();
        }
        else
        {
            switch (_random.Next(5))
            {
                case 0: node.Order(); break;
                case 1: node.EndWrite(); break;
                case 2: node.Core.OnTick(Now, node); break;
                default: node.Deliver(); break;
            }
        }

        if (HasWitness && _random.Next(20) == 0) AskWitness();
        CheckUniqueness();
    }

    /// <summary>Lets everything that is under way come to its end.</summary>
    public void Quiesce()
    {
        for (var quiet = 0; quiet < 3; quiet++)
        {
            foreach (var node in Running)
            {
                if (node.Next is not null) node.Install();
            }

            var isBusy = true;
            while (isBusy)
            {
                isBusy = false;
                foreach (var node in Running)
                {
                    node.Core!.OnTick(Now, node);
                    isBusy |= node.Order() | node.EndWrite() | node.Deliver();
                }

                CheckUniqueness();
            }

            Now += TimeSpan.FromSeconds(20);
        }
    }

    /// <summary>The running nodes form these groups. Those of one old ring that stay together deliver the same before they go over.</summary>
    public void Split(IReadOnlyList<HistoryNode[]> groups)
    {
        foreach (var node in Running)
        {
            while (node.Next is not null) node.Install();
        }

        foreach (var group in groups)
        {
            if (group.Length == 0) continue;
            var ring = new RingId(group[0].Id, ++_ringSequence, group[0].Boot);
            var log = new RingLog(ring, group);
            foreach (var companions in group.GroupBy(node => node.Log))
            {
                if (companions.Key is { } old && old.Members.Select(m => m.Id).SequenceEqual(group.Select(m => m.Id)) && old.Boots.SequenceEqual(group.Select(m => m.Boot))) continue;
                var received = companions.Max(node => node.Received);
                var regular = companions.Max(node => node.Delivered);
                regular += received > regular ? _random.Next(received - regular + 1) : 0;
                var departed = companions.Key?.Members.Where(member => member.SaidGoodbye).Select(member => member.Id).ToHashSet() ?? [];
                foreach (var node in companions) node.Next = new Passage(log, [.. companions], received, regular, departed);
            }
        }

        Note($"views {string.Join(" | ", groups.Select(group => string.Join(',', group.Select(node => node.Id))))}");
    }

    /// <summary>I32: in one place of the order every member has the same verdict.</summary>
    public void CheckAgreement(HistoryNode node)
    {
        var state = node.Core!.State;
        if (node.Log is not { } log || state.IsSynchronizing || node.IsInTransition || state.View?.Id.Ring != log.Id) return;
        var verdict = $"{state.IsQuorate} {state.Votes}/{state.Needed}/{state.Expected} epoch {state.Epoch}: {state.Reason} [{string.Join(' ', state.Flags)}] {string.Join(',', state.Members)}";
        if (_verdicts.TryAdd((log.Id, node.Delivered), verdict)) return;
        var other = _verdicts[(log.Id, node.Delivered)];
        if (other != verdict) Break($"I32: in ring {log.Id} at place {node.Delivered} node {node.Id} says '{verdict}', another '{other}'");
    }

    /// <summary>I30: a primary view has a member that was in the one before.</summary>
    public void OnChanged(HistoryNode node, QuorumState state)
    {
        Note($"{node.Id}: {(state.IsQuorate ? "quorate" : "not quorate")} {(state.IsSynchronizing ? "(synchronizing) " : "")}view {state.View?.Id} epoch {state.Epoch} {state.Reason}");
        if (!state.IsQuorate || state.View is not { } view || !_primaries.TryAdd(view.Id.Ring, view.Id.Ring)) return;
        Primaries++;
        NodeId[] members = [.. view.Members.Select(member => member.Node)];

        // With a witness it is the witness that was in both.
        if (ChecksUniqueness && !HasWitness && _lastPrimaryNodes.Length > 0 && !members.Intersect(_lastPrimaryNodes).Any())
            Break($"I30: the primary {string.Join(',', members)} has no member of the one before, {string.Join(',', _lastPrimaryNodes)}");
        _lastPrimaryNodes = members;
    }

    private void CheckUniqueness()
    {
        if (!ChecksUniqueness) return;
        _lastPrimary = [];
        foreach (var node in Running)
        {
            if (!node.Core!.State.IsQuorate) continue;
            if (_lastPrimary.Length > 0 && !_lastPrimary.Intersect(node.Log!.Members).Any())
                Break($"I29: quorate are {string.Join(',', _lastPrimary.Select(n => n.Id))} and {string.Join(',', node.Log!.Members.Select(n => n.Id))}");
            _lastPrimary = node.Log!.Members;
        }
    }

    /// <summary>The witness gives its votes to one ring, and to another only when nobody counts them any more, nor will when late messages arrive: its leases are longer than that.</summary>
    private void AskWitness()
    {
        foreach (var node in Running.Where(node => node.Next is null))
        {
            if (_random.Next(3) != 0) continue;
            var isFree = Running.All(other => other.Log == node.Log || !(other.Core!.State.WitnessGranted || other.HoldsGrant || other.HasWitnessUnderWay));
            var grants = isFree && _random.Next(4) != 0;
            if (grants) _chosenByWitness = node.Id;
            node.HoldsGrant = grants;
            node.Core!.OnWitness(Now, grants ? new WitnessAnswer(node.Log?.Id ?? RingId.None, true, 1, $"chosen through {_chosenByWitness}") : null, node);
        }
    }

    private void Break(string what) => throw new BrokenPromiseException($"{what}\n{string.Join('\n', _trace.TakeLast(60))}");
}
