using System.Diagnostics;
using System.Globalization;
using Membership.Client;

namespace Membership.Bench.Groups;

/// <summary>How much coming and going.</summary>
/// <param name="Groups">Number of groups.</param>
/// <param name="Clients">Sessions that come and go, spread over the nodes.</param>
/// <param name="Time">How long.</param>
/// <param name="Seed">Of all random choices.</param>
internal sealed record ChurnOptions(int Groups, int Clients, TimeSpan Time, int Seed)
{
    /// <summary>Groups one client is in at most.</summary>
    public int GroupsPerClient { get; init; } = 50;
}

/// <summary>What happened.</summary>
/// <param name="Joins">Completed.</param>
/// <param name="Leaves">Completed.</param>
/// <param name="Messages">Sent and ordered.</param>
/// <param name="Took">The time of it.</param>
/// <param name="Ledger">What the members saw.</param>
/// <param name="Disturbance">Why the run says nothing: the ring changed, or a client was cut off; null: nothing disturbed it.</param>
internal sealed record ChurnResult(long Joins, long Leaves, long Messages, TimeSpan Took, OrderLedger Ledger, string? Disturbance);

/// <summary>Clients that join and leave groups at random and now and then send, and one observer at each node that is in all groups from the beginning to the end.</summary>
/// <remarks>The observers keep each group alive, so that its changes are counted alike at all nodes, and see everything: who comes and goes is compared with them.</remarks>
/// <param name="open">Makes a client of a node, from 1.</param>
/// <param name="nodes">How many there are.</param>
/// <param name="options">How much.</param>
internal sealed class GroupChurn(Func<int, MembershipClient> open, int nodes, ChurnOptions options)
{
    private const int JoinsAtATime = 32;
    private const int SendsOneIn = 4;
    private static readonly TimeSpan QuietWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ComparePace = TimeSpan.FromMilliseconds(10);

    private readonly OrderLedger _ledger = new();
    private long _joins;
    private long _leaves;
    private long _messages;
    private string? _view;
    private string? _disturbance;

    /// <summary>Runs it once. A ring or a daemon that does not hold is a result too: <see cref="ChurnResult.Disturbance"/>.</summary>
    public async Task<ChurnResult> RunAsync()
    {
        var observers = Enumerable.Range(1, nodes).Select(node => new Observer(open(node))).ToArray();
        try
        {
            await Task.WhenAll(observers.Select(ObserveAsync));
            var from = Stopwatch.GetTimestamp();
            using (var stop = new CancellationTokenSource(options.Time))
                await Task.WhenAll(Enumerable.Range(0, options.Clients).Select(number => Task.Run(() => ComeAndGoAsync(number, stop.Token))));
            var took = Stopwatch.GetElapsedTime(from);
            if (_disturbance is null) await CompareObserversAsync(observers);
            return new ChurnResult(_joins, _leaves, _messages, took, _ledger, _disturbance);
        }
        finally
        {
            foreach (var observer in observers) await observer.DisposeAsync();
        }
    }

    private static string Name(int group) => string.Create(CultureInfo.InvariantCulture, $"churn-{group:d4}");

    private async Task ObserveAsync(Observer observer)
    {
        try
        {
            await Parallel.ForAsync(0, options.Groups, new ParallelOptions { MaxDegreeOfParallelism = JoinsAtATime }, async (group, _) =>
                observer.Add(Name(group), await EnterAsync(observer.Client, Name(group))));
        }
        catch (MembershipException failed)
        {
            Disturbed($"an observer could not join: {failed.Message}");
        }
    }

    private async Task<Inside> EnterAsync(MembershipClient client, string name)
    {
        var group = await client.JoinAsync(name);
        var witness = new OrderWitness(_ledger, name);
        return new Inside(group, witness, Task.Run(() => ReadAsync(group, witness)));
    }

    private async Task ReadAsync(ProcessGroup group, OrderWitness witness)
    {
        try
        {
            await foreach (var update in group.ReadAllAsync())
            {
                if (!witness.See(update)) Disturbed($"{group.Name}: {(update as GroupUpdate.Interrupted)?.Cause.Message}");
                else if (Interlocked.CompareExchange(ref _view, witness.View, null) is { } view && view != witness.View) Disturbed($"the ring changed from {view} to {witness.View}");
                if (_disturbance is not null) return;
            }
        }
        catch (MembershipException ended)
        {
            Disturbed($"{group.Name}: {ended.Message}");
        }
    }

    private void Disturbed(string why) => Interlocked.CompareExchange(ref _disturbance, why, null);

    private async Task ComeAndGoAsync(int number, CancellationToken stop)
    {
        var inside = new List<Inside>();
        try
        {
            await using var client = open((number % nodes) + 1);
            await ComeAndGoAsync(client, inside, new Random((options.Seed * 100_003) + number), stop);
        }
        catch (MembershipException failed)
        {
            Disturbed($"client {number}: {failed.Message}");
        }
        await Task.WhenAll(inside.Select(static left => left.Reading));   // the client is closed
    }

    private async Task ComeAndGoAsync(MembershipClient client, List<Inside> inside, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && _disturbance is null)
        {
            if (inside.Count == options.GroupsPerClient || (inside.Count > 0 && random.Next(2) == 0))
            {
                var place = random.Next(inside.Count);
                await LeaveAsync(inside[place]);
                inside.RemoveAt(place);
            }
            else if (Name(random.Next(options.Groups)) is var name && inside.TrueForAll(other => other.Group.Name != name))
            {
                inside.Add(await EnterAsync(client, name));
                Interlocked.Increment(ref _joins);
                if (random.Next(SendsOneIn) == 0) await SendAsync(inside[^1].Group, random);
            }
        }
        foreach (var left in inside) await LeaveAsync(left);
    }

    private async Task SendAsync(ProcessGroup group, Random random)
    {
        var payload = new byte[random.Next(1, 200)];
        random.NextBytes(payload);
        await group.SendAsync(payload);
        Interlocked.Increment(ref _messages);
    }

    private async Task LeaveAsync(Inside inside)
    {
        await inside.Group.DisposeAsync();
        await inside.Reading;
        Interlocked.Increment(ref _leaves);
    }

    /// <summary>All have left but the observers: each group has the same last event and the same members at every node.</summary>
    private async Task CompareObserversAsync(Observer[] observers)
    {
        using var limit = new CancellationTokenSource(QuietWithin);
        foreach (var name in Enumerable.Range(0, options.Groups).Select(Name))
        {
            while (observers.Select(observer => observer.At(name).Witness.Last).Distinct().Count() > 1 || observers.Any(observer => observer.At(name).Group.Members.Count != nodes))
            {
                if (limit.IsCancellationRequested)
                {
                    _ledger.Mismatch($"{name}: in the end {string.Join(" and ", observers.Select(observer => $"{observer.At(name).Witness.Last} with {observer.At(name).Group.Members.Count} members"))}");
                    break;
                }
                await Task.Delay(ComparePace, CancellationToken.None);
            }
        }
    }

    private sealed record Inside(ProcessGroup Group, OrderWitness Witness, Task Reading);

    private sealed class Observer(MembershipClient client) : IAsyncDisposable
    {
        private readonly Dictionary<string, Inside> _inside = new(StringComparer.Ordinal);

        public MembershipClient Client => client;

        public void Add(string name, Inside inside)
        {
            lock (_inside) _inside.Add(name, inside);
        }

        public Inside At(string name)
        {
            lock (_inside) return _inside[name];
        }

        public async ValueTask DisposeAsync()
        {
            await client.DisposeAsync();
            await Task.WhenAll(_inside.Values.Select(static inside => inside.Reading));
        }
    }
}
