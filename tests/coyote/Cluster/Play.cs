using System.Globalization;
using System.Runtime.CompilerServices;
using Membership.Explorer;
using Membership.Virtual;

namespace Membership.Exploration.Cluster;

/// <summary>One iteration: a cluster, what is pending in it, what may be done to it, and whoever chooses among all that.</summary>
/// <remarks>
/// A step is one choice: a datagram arrives, a timer fires, a disk write ends, or a deed of the suite is done (a crash, a cut, a message). Among what is
/// pending everything may go next that is due at most <see cref="Window"/> after the earliest, so nothing is later than that. Whatever a choice does is
/// judged at once; <see cref="Settle"/> judges the end.
/// </remarks>
internal sealed partial class Play
{
    /// <summary>Things that may go next at a time; the earliest of more.</summary>
    public const int EnabledMax = 16;

    private const int FirstDeed = 1 << 24;

    private readonly IExploration _exploration;
    private readonly Pending _pending;
    private readonly List<Deed> _deeds = [];
    private readonly Dictionary<string, int> _done = [];
    private readonly int[] _places = new int[EnabledMax];
    private readonly int[] _ids = new int[EnabledMax + DeedsMax];
    private readonly int[] _where = new int[EnabledMax + DeedsMax];

    /// <summary>Deeds of a suite.</summary>
    public const int DeedsMax = 32;

    public Play(IExploration exploration, Start start)
    {
        (_exploration, World, _pending) = (exploration, start.World, start.Pending);
        Cuts = new bool[World.Hosts.Count, World.Hosts.Count];
        foreach (var from in World.Hosts)
        {
            foreach (var to in World.Hosts) Cuts[from.Position, to.Position] = World.Network.IsCut(from.Position, to.Position, 0);
        }
        if (exploration.IsTold) World.TraceSink = exploration.Tell;
        World.Network.Drops = OnSent;
    }

    public World World { get; }

    /// <summary>Steps explored so far.</summary>
    public int Steps { get; private set; }

    /// <summary>Steps that the end took, in the order of time.</summary>
    public int StepsOfSettling { get; private set; }

    /// <summary>How much later than the earliest pending thing something may be due and yet go first, in nanoseconds.</summary>
    public long Window { get; set; } = 12_000_000;

    /// <summary>A rule of the suite's own, judged after each step.</summary>
    public Action? AfterEachStep { get; set; }

    /// <summary>How often each deed that was offered was done, and each loss that was asked for struck: 0 says that it was only meant to.</summary>
    public IReadOnlyDictionary<string, int> Done => _done;

    public IReadOnlyList<Host> Hosts => World.Hosts;

    /// <summary>A data choice: 0 to <paramref name="end"/> - 1.</summary>
    public int Choose(int end) => end == 1 ? 0 : _exploration.NextInteger(end);

    public bool Choose() => _exploration.NextBoolean();

    /// <summary>A machine.</summary>
    public Host ChooseHost() => Hosts[Choose(Hosts.Count)];

    public void Assert(bool condition, string message) => _exploration.Assert(condition, message);

    /// <summary>Something that may be done once, from a step on and while <paramref name="when"/> holds: an actor like everything pending.</summary>
    /// <param name="place">Position of the machine it happens to; the number of machines for the network.</param>
    /// <param name="deed">What happens.</param>
    /// <param name="fromStep">Not before.</param>
    /// <param name="when">Only then.</param>
    /// <param name="name">In <see cref="Done"/>; its text unless told.</param>
    public void Offer(int place, Action deed, int fromStep = 0, Func<bool>? when = null, [CallerArgumentExpression(nameof(deed))] string name = "")
    {
        if (_deeds.Count == DeedsMax) throw new InvalidOperationException($"a suite has at most {DeedsMax} deeds");
        _done.TryAdd(name, 0);
        _deeds.Add(new Deed(FirstDeed + _deeds.Count, place, deed, fromStep, when, name));
    }

    /// <summary>So many choices; fewer when nothing can happen any more.</summary>
    public void Explore(int steps)
    {
        for (var end = Steps + steps; Steps < end; Steps++)
        {
            var pending = Enabled();
            var deeds = 0;
            for (var i = 0; i < pending; i++)
            {
                ref readonly var due = ref _pending[_places[i]];
                (_ids[i], _where[i]) = ((int)due.Tie, due.Node);
            }
            foreach (var deed in _deeds)
            {
                if (deed.IsDone || deed.FromStep > Steps || deed.When?.Invoke() == false) continue;
                (_ids[pending + deeds], _where[pending + deeds]) = (deed.Id, deed.Place);
                deeds++;
            }
            if (pending + deeds == 0)
            {
                if (!GoToNextDeed(end)) return;
                continue;
            }
            var chosen = _exploration.PickNext(_ids.AsSpan(0, pending + deeds), _where.AsSpan(0, pending + deeds));
            if (chosen < pending) Do(_pending.Take(_places[chosen]));
            else Do(_deeds[_ids[chosen] - FirstDeed]);
            _exploration.Observe(Fingerprint());
        }
    }

    /// <summary>Nothing can happen, but something may be done later: no choice, the step is that one's.</summary>
    private bool GoToNextDeed(int end)
    {
        var next = int.MaxValue;
        foreach (var deed in _deeds)
        {
            if (!deed.IsDone && deed.FromStep > Steps && deed.FromStep < next) next = deed.FromStep;
        }
        if (next >= end) return false;
        Steps = next - 1;
        return true;
    }

    /// <summary>Places of what may go next, by time and then by tie. What would do nothing any more is thrown away.</summary>
    private int Enabled()
    {
        var earliest = long.MaxValue;
        for (var i = _pending.Count - 1; i >= 0; i--)
        {
            if (World.IsVoid(_pending[i])) _pending.Take(i);
            else earliest = Math.Min(earliest, _pending[i].At);
        }
        var horizon = earliest > long.MaxValue - Window ? long.MaxValue : earliest + Window;
        var count = 0;
        for (var i = 0; i < _pending.Count; i++)
        {
            if (_pending[i].At > horizon) continue;
            var place = count;
            while (place > 0 && Pending.IsBefore(_pending[i], _pending[_places[place - 1]])) place--;
            if (place == EnabledMax) continue;
            if (count < EnabledMax) count++;
            for (var later = count - 1; later > place; later--) _places[later] = _places[later - 1];
            _places[place] = i;
        }
        return count;
    }

    private void Do(Deed deed)
    {
        deed.IsDone = true;
        _done[deed.Name]++;
        Guarded(deed.Do);
    }

    private void Do(Due due)
    {
        try
        {
            World.Do(due);
        }
        catch (Exception thrown)
        {
            Fail(thrown);
        }
        Judge();
    }

    private void Guarded(Action deed)
    {
        try
        {
            deed();
        }
        catch (Exception thrown) when (IsOfProduct(thrown))
        {
            Fail(thrown);
        }
        Judge();
    }

    /// <summary>What broke since the last step ends the iteration.</summary>
    private void Judge()
    {
        AfterEachStep?.Invoke();
        if (World.History.Violations.Count == 0) return;
        var first = World.History.Violations[0];
        _exploration.Assert(false, $"{first.Id}: {first.Sentence}");
    }

    /// <summary>A node must not throw whatever it is given.</summary>
    private void Fail(Exception thrown) => _exploration.Assert(false, thrown switch
    {
        PromiseBrokenException broken => $"{broken.Id}: {broken.Message}",
        _ => string.Create(CultureInfo.InvariantCulture, $"{thrown.GetType().Name}: {thrown.Message}{Where(thrown)}"),
    });

    private static bool IsOfProduct(Exception thrown) => thrown is Links.InvariantBrokenException or PromiseBrokenException or LivelockException;

    private static string Where(Exception thrown) =>
        thrown.StackTrace is { } stack ? $" ({stack.Split('\n')[0].Trim().Split(" in ")[0]})" : "";

    /// <summary>Something a suite may do.</summary>
    private sealed class Deed(int id, int place, Action @do, int fromStep, Func<bool>? when, string name)
    {
        public int Id { get; } = id;

        public int Place { get; } = place;

        public Action Do { get; } = @do;

        public int FromStep { get; } = fromStep;

        public Func<bool>? When { get; } = when;

        public string Name { get; } = name;

        public bool IsDone { get; set; }
    }
}
