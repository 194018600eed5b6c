using Membership.Daemon.State;
using Membership.Quorum;

namespace Membership.Daemon.Tests.State;

/// <summary>A state directory below a fresh temporary one.</summary>
internal sealed class TemporaryState : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("membership-state-");

    public string Path => System.IO.Path.Combine(_root.FullName, "state");

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Opens, reserves up to a number, closes.</summary>
    public void Reserve(ulong upTo)
    {
        using var state = StateDirectory.Open(Path, acceptNewIdentity: false);
        var sink = new Sink();
        state.Request(upTo, sink);
        state.Dispose();
        Assert.Null(sink.Failure);
        Assert.Equal(upTo, sink.Reserved);
    }

    /// <summary>Where a start would go on.</summary>
    public ulong SequenceAfterStart()
    {
        using var state = StateDirectory.Open(Path, acceptNewIdentity: false);
        return state.RingSequence;
    }

    public void Dispose() => _root.Delete(recursive: true);
}

/// <summary>Remembers what the persistence thread said; read it after the directory was disposed.</summary>
internal sealed class Sink : IReservationSink
{
    private readonly TaskCompletionSource<string> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ulong? Reserved { get; private set; }

    public string? Failure => _failed.Task.IsCompleted ? _failed.Task.Result : null;

    /// <summary>Ends when a write has failed.</summary>
    public Task<string> Failed => _failed.Task;

    void IReservationSink.Reserved(ulong upTo) => Reserved = upTo;

    public QuorumRecord? Persisted { get; private set; }

    void IReservationSink.QuorumPersisted(QuorumRecord record) => Persisted = record;

    void IReservationSink.ReservationFailed(string message) => _failed.TrySetResult(message);
}
