using Membership.Links;
using Membership.Totem;

namespace Membership.Daemon.Services;

/// <summary>Each configured node's state as status shows it, and since when. Ring thread only.</summary>
internal sealed class NodeStates
{
    private readonly NodeTable _table;
    private readonly NodeId _self;
    private readonly PeerState[] _peers;
    private readonly NodeStanding[] _standing;
    private readonly Instant[] _since;
    private NodeSet _members = NodeSet.Empty;

    public NodeStates(NodeTable table, NodeId self)
    {
        (_table, _self) = (table, self);
        _peers = new PeerState[table.Count];
        _standing = new NodeStanding[table.Count];
        _since = new Instant[table.Count];
        for (var i = 0; i < table.Count; i++) _standing[i] = Standing(i);
    }

    /// <summary>A regular view is in force.</summary>
    public void ViewInstalled(View view, Instant now)
    {
        _members = _table.Set(view.Members.Select(m => m.Node));
        Refresh(now);
    }

    /// <summary>The links know something new about a peer.</summary>
    public void PeerChanged(NodeId node, PeerState state, Instant now)
    {
        if (!_table.TryPosition(node, out var position)) return;
        _peers[position] = state;
        Refresh(now);
    }

    /// <summary>State of a node and since when.</summary>
    public (NodeStanding Standing, Instant Since) this[int position] => (_standing[position], _since[position]);

    private void Refresh(Instant now)
    {
        for (var i = 0; i < _standing.Length; i++)
        {
            var standing = Standing(i);
            if (standing == _standing[i]) continue;
            _standing[i] = standing;
            _since[i] = now;
        }
    }

    private NodeStanding Standing(int position)
    {
        if (_members.Contains(position)) return NodeStanding.Member;
        var reachable = _table[position] == _self || _peers[position] is PeerState.Reachable or PeerState.OneWay;
        return reachable ? NodeStanding.HeldOut : NodeStanding.Unreachable;
    }
}

/// <summary>What a node is to this daemon.</summary>
internal enum NodeStanding
{
    /// <summary>Nothing is heard of it.</summary>
    Unreachable,

    /// <summary>Heard, but not in the view: joining, kept out, or not heard by all members.</summary>
    HeldOut,

    /// <summary>In the regular view in force.</summary>
    Member,
}
