using Membership.Links;

namespace Membership.Totem;

/// <summary>Who hears whom, both ways, as a symmetric matrix over table positions.</summary>
internal sealed class HearingMatrix
{
    private readonly ulong[] _rows = new ulong[NodeTable.Max];

    public NodeSet Neighbours(int position) => new(_rows[position]);

    public void Connect(int left, int right)
    {
        _rows[left] |= 1UL << right;
        _rows[right] |= 1UL << left;
    }

    public void Clear() => Array.Clear(_rows);
}

/// <summary>The fixed rule that splits nodes into memberships: the best maximal clique, then the best of the rest, and so on.</summary>
/// <remarks>Best = most votes, then most nodes, then lowest list of ids (design §5). The same matrix gives the same answer everywhere.</remarks>
internal sealed class Cliques
{
    /// <summary>Steps of the search before it settles for a greedy answer; far beyond what real matrices of 64 nodes need.</summary>
    private const int StepsMax = 20_000;

    private readonly ulong[] _votes;
    private NodeSet _best;
    private ulong _bestVotes;
    private int _steps;

    public Cliques(int nodes, IReadOnlyList<ulong> votes)
    {
        _votes = new ulong[nodes];
        for (var i = 0; i < nodes; i++) _votes[i] = i < votes.Count ? votes[i] : 1;
    }

    /// <summary>The membership that <paramref name="self"/> belongs to among <paramref name="nodes"/>.</summary>
    public NodeSet Of(int self, NodeSet nodes, HearingMatrix matrix)
    {
        var rest = nodes.With(self);
        while (true)
        {
            var best = Best(rest, matrix);
            if (best.Contains(self)) return best;
            rest -= best;
        }
    }

    /// <summary>Sum of the votes of a set.</summary>
    public ulong Votes(NodeSet nodes)
    {
        var sum = 0UL;
        foreach (var position in nodes) sum += _votes[position];
        return sum;
    }

    /// <summary>True when <paramref name="candidate"/> is a stronger membership than <paramref name="current"/>: more votes, or as many and more nodes.</summary>
    public bool IsStronger(NodeSet candidate, NodeSet current)
    {
        var (mine, theirs) = (Votes(candidate), Votes(current));
        return mine > theirs || (mine == theirs && candidate.Count > current.Count);
    }

    private NodeSet Best(NodeSet nodes, HearingMatrix matrix)
    {
        _best = NodeSet.Empty;
        _bestVotes = 0;
        _steps = 0;
        Extend(NodeSet.Empty, nodes, NodeSet.Empty, matrix);
        return _best;
    }

    // Bron and Kerbosch with a pivot: every maximal clique once.
    private void Extend(NodeSet clique, NodeSet candidates, NodeSet done, HearingMatrix matrix)
    {
        if (candidates.IsEmpty && done.IsEmpty)
        {
            Consider(clique);
            return;
        }

        if (++_steps > StepsMax)
        {
            Consider(Greedy(clique, candidates, matrix));
            return;
        }

        var pivot = Pivot(candidates | done, candidates, matrix);
        foreach (var node in candidates - matrix.Neighbours(pivot).Without(pivot))
        {
            var near = matrix.Neighbours(node).Without(node);
            Extend(clique.With(node), candidates & near, done & near, matrix);
            candidates = candidates.Without(node);
            done = done.With(node);
        }
    }

    private static int Pivot(NodeSet from, NodeSet candidates, HearingMatrix matrix)
    {
        var (best, most) = (from.First, -1);
        foreach (var node in from)
        {
            var near = (matrix.Neighbours(node) & candidates).Count;
            if (near > most) (best, most) = (node, near);
        }

        return best;
    }

    private static NodeSet Greedy(NodeSet clique, NodeSet candidates, HearingMatrix matrix)
    {
        foreach (var node in candidates)
        {
            if (matrix.Neighbours(node).With(node).Contains(clique)) clique = clique.With(node);
        }

        return clique;
    }

    private void Consider(NodeSet clique)
    {
        var votes = Votes(clique);
        if (!_best.IsEmpty && !IsBetter(clique, votes)) return;
        _best = clique;
        _bestVotes = votes;
    }

    private bool IsBetter(NodeSet clique, ulong votes)
    {
        if (votes != _bestVotes) return votes > _bestVotes;
        if (clique.Count != _best.Count) return clique.Count > _best.Count;
        var difference = new NodeSet(clique.Bits ^ _best.Bits);
        return !difference.IsEmpty && clique.Contains(difference.First);
    }
}
