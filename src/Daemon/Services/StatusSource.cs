using Membership.Daemon.Ring;

namespace Membership.Daemon.Services;

/// <summary>Asks the ring thread for a snapshot, but never waits long for it.</summary>
/// <remarks>Questions that come while one is under way share its answer, so that a stalled ring thread does not collect them.</remarks>
internal sealed class StatusSource<T>(Func<CancellationToken, Task<T>> ask, TimeProvider time)
    where T : class
{
    /// <summary>After this time the last snapshot is the answer.</summary>
    public static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(1);

    private Task<T>? _underWay;
    private T? _last;

    /// <summary>The snapshot (null when there never was one) and whether the ring thread gave it just now.</summary>
    /// <exception cref="RingStoppedException">The ring thread has ended.</exception>
    public async Task<(T? Snapshot, bool IsFresh)> GetAsync(CancellationToken cancellationToken)
    {
        var question = Volatile.Read(ref _underWay);
        if (question is null)
        {
            question = ask(CancellationToken.None);
            _ = Interlocked.CompareExchange(ref _underWay, question, null);
        }
        try
        {
            var snapshot = await question.WaitAsync(WaitMax, time, cancellationToken);
            Volatile.Write(ref _last, snapshot);
            _ = Interlocked.CompareExchange(ref _underWay, null, question);
            return (snapshot, true);
        }
        catch (TimeoutException)
        {
            return (Volatile.Read(ref _last), false);
        }
        catch (RingStoppedException)
        {
            _ = Interlocked.CompareExchange(ref _underWay, null, question);
            throw;
        }
    }
}
