namespace Membership.Totem;

/// <summary>How many bytes a node may multicast at a visit (TOCS'95, "Flow Control", in bytes; deviation D4). Pure arithmetic.</summary>
internal sealed class FlowControl(int windowBytes, int visitBytes)
{
    private uint _sentBefore;
    private uint _backlogBefore;

    /// <summary>Least a busy node may send, so that a small share still moves.</summary>
    public const int ShareBytesMin = 4096;

    /// <summary>Bytes this visit may send: its own limit, what the window leaves, and a share by backlog.</summary>
    public int Allowance(uint flowBytes, uint tokenBacklog, int backlog)
    {
        var others = flowBytes - Math.Min(flowBytes, _sentBefore);
        var free = Math.Max(0, windowBytes - (long)others);
        var total = TotalBacklog(tokenBacklog, backlog);
        var share = total == 0 ? windowBytes : Math.Max(ShareBytesMin, (long)windowBytes * backlog / (long)total);
        return (int)Math.Min(Math.Min(visitBytes, free), share);
    }

    /// <summary>Bytes multicast in the rotation that ends with this visit.</summary>
    public uint FlowAfter(uint flowBytes, int sent)
    {
        var others = flowBytes - Math.Min(flowBytes, _sentBefore);
        _sentBefore = (uint)sent;
        return others + _sentBefore;
    }

    /// <summary>The backlog to write on the token, with this node's part renewed.</summary>
    public uint BacklogAfter(uint tokenBacklog, int backlog)
    {
        var others = tokenBacklog - Math.Min(tokenBacklog, _backlogBefore);
        _backlogBefore = (uint)backlog;
        return (uint)Math.Min(uint.MaxValue, (ulong)others + _backlogBefore);
    }

    /// <summary>A new ring starts from nothing.</summary>
    public void Reset() => _sentBefore = _backlogBefore = 0;

    private ulong TotalBacklog(uint tokenBacklog, int backlog) =>
        (ulong)(tokenBacklog - Math.Min(tokenBacklog, _backlogBefore)) + (ulong)backlog;
}
