using System.Text.Json;
using Membership.Client;

/// <summary>A change (key and value, or no value to remove it), or the whole state for those that lack it.</summary>
/// <param name="Key">What changes.</param>
/// <param name="Value">Null: it goes.</param>
/// <param name="State">The state at a change of members.</param>
/// <param name="For">Whom the state is for, and how many changes of members each of them had seen at that place.</param>
internal sealed record Operation(string? Key, string? Value, SortedDictionary<string, string>? State, Dictionary<string, int>? For);

/// <summary>The state of one member. Pure: updates go in, what is to be sent comes out.</summary>
internal sealed class Replica
{
    private readonly Dictionary<Member, int> _waiting = [];   // members without the state: changes of members since they came
    private readonly List<Operation> _held = [];              // what came since the last change, while this one waits itself
    private SortedDictionary<string, string> _state = [];
    private List<Member> _elders = [];                        // of whom one may have the state this one waits for
    private Member _self;

    public bool IsComplete => !_waiting.ContainsKey(_self);

    /// <summary>Returns the state to be sent to those that wait for it, where this member is the one to do it.</summary>
    public Operation? Apply(GroupUpdate update)
    {
        if (update is GroupUpdate.MembersChanged changed) return ChangeMembers(changed);
        if (update is not GroupUpdate.Message message) return null;
        var operation = JsonSerializer.Deserialize<Operation>(message.Payload.Span) ?? throw new JsonException("empty message");
        if (operation.State is not null) TakeState(operation);
        else if (IsComplete) Change(operation);
        else _held.Add(operation);
        return null;
    }

    public override string ToString() => string.Join(' ', _state.Select(entry => $"{entry.Key}={entry.Value}"));

    private Operation? ChangeMembers(GroupUpdate.MembersChanged changed)
    {
        _self = changed.Self;
        // After a split two states meet: that of the side with the first member stays, everybody else begins anew.
        bool beginsAnew = changed.IsOwnJoin || changed.Joined.Contains(changed.Members[0]);
        if (beginsAnew)
        {
            _elders = [.. changed.Members.Where(member => changed.IsOwnJoin != changed.Joined.Contains(member))];
            _waiting.Clear();
            foreach (var member in changed.Members.Except(_elders)) _waiting[member] = 0;
        }
        else
        {
            foreach (var member in changed.Joined) _waiting[member] = 0;
        }
        foreach (var member in changed.Left) _waiting.Remove(member);
        _elders.RemoveAll(changed.Left.Contains);

        // Nobody is left who could have it: the first of those who wait goes on with what it has.
        if (!IsComplete && _elders.Count == 0 && changed.Members[0] == _self) Complete();
        _held.Clear();   // the state comes as of this change, or a later one
        foreach (var member in _waiting.Keys.ToList()) _waiting[member]++;

        bool isDonor = IsComplete && _waiting.Count > 0 && changed.Members.First(member => !_waiting.ContainsKey(member)) == _self;
        return isDonor ? new Operation(null, null, _state, _waiting.ToDictionary(entry => entry.Key.ToString(), entry => entry.Value)) : null;
    }

    private void TakeState(Operation snapshot)
    {
        var reached = _waiting.Where(entry => snapshot.For!.GetValueOrDefault(entry.Key.ToString()) == entry.Value).Select(entry => entry.Key).ToList();
        if (reached.Contains(_self))
        {
            _state = snapshot.State!;   // not null: the caller has looked
            Complete();
        }
        foreach (var member in reached) _waiting.Remove(member);
    }

    private void Complete()
    {
        foreach (var operation in _held) Change(operation);
        _waiting.Remove(_self);
    }

    private void Change(Operation operation)
    {
        if (operation.Key is not { } key) return;
        if (operation.Value is { } value) _state[key] = value;
        else _state.Remove(key);
    }
}
