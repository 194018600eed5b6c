using System.Threading.Channels;
using Membership.Daemon.Witness.Rule;

namespace Membership.Daemon.Witness.Server;

/// <summary>One node's session as the service and the loop share it.</summary>
internal sealed class WitnessSession(ulong id, string cluster, string nodeName, SessionHello hello)
{
    /// <summary>Answers waiting for a slow node. The newest says all there is to say; older ones may be dropped.</summary>
    private const int AnswersMax = 4;

    private readonly Channel<SessionAnswer> _answers = Channel.CreateBounded<SessionAnswer>(
        new BoundedChannelOptions(AnswersMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Number of the session, never used again in this process.</summary>
    public ulong Id { get; } = id;

    /// <summary>Its cluster.</summary>
    public string Cluster { get; } = cluster;

    /// <summary>Its node, as configured.</summary>
    public string NodeName { get; } = nodeName;

    /// <summary>What it said first.</summary>
    public SessionHello Hello { get; } = hello;

    /// <summary>Answers for the node.</summary>
    public ChannelReader<SessionAnswer> Answers => _answers.Reader;

    /// <summary>Completes when the witness ended the session.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Why the witness ended it; null while it goes on.</summary>
    public string? EndReason { get; private set; }

    /// <summary>Loop: hands an answer over.</summary>
    public void Answer(SessionAnswer answer) => _answers.Writer.TryWrite(answer);

    /// <summary>Loop: ends the session.</summary>
    public void End(string reason)
    {
        EndReason ??= reason;
        _ended.TrySetResult();
    }
}
