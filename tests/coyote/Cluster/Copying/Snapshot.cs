using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Membership.Exploration.Cluster.Copying;

/// <summary>What the copies of a graph have in common.</summary>
internal sealed record SharingRules
{
    /// <summary>Instances of these types never change, or only in ways that no copy can see.</summary>
    public required Func<Type, bool> IsShared { get; init; }

    /// <summary>Byte arrays of at least this size are scratch: nothing in them is read before it is written in the same input.</summary>
    public int ScratchBytesMin { get; init; } = int.MaxValue;
}

/// <summary>A graph of objects that stands still, and copies of it: each like a world of its own, made in microseconds.</summary>
/// <remarks>
/// Works because protocol cores are plain state: no handle, thread or clock. The walk over the graph happens once and leaves a recipe (which objects,
/// which reference points where), so that a copy costs one shallow copy per object and no look-up. Spares (what lies in a <see cref="Stack{T}"/>
/// to be used again) and scratch arrays are shared: use one copy at a time, on one thread.
/// </remarks>
internal sealed class Snapshot<T>
    where T : class
{
    private static readonly Func<object, object> ShallowCopy =
        typeof(object).GetMethod("MemberwiseClone", BindingFlags.Instance | BindingFlags.NonPublic)!.CreateDelegate<Func<object, object>>(); // every object has it

    private readonly SharingRules _rules;
    private readonly object[] _originals;
    private readonly (Layout? Layout, bool IsArrayOfReferences, int Start)[] _repairs;
    private readonly int[] _slots;
    private readonly object[] _copies;

    /// <exception cref="NotSupportedException">Something in the graph cannot be copied; the message says where it is.</exception>
    public Snapshot(T root, SharingRules rules)
    {
        _rules = rules;
        var walk = new Walk(rules);
        walk.Add(root, "root");
        walk.Finish();
        _originals = [.. walk.Objects];
        _repairs = [.. walk.Repairs];
        _slots = [.. walk.Slots];
        _copies = new object[_originals.Length];
    }

    /// <summary>Objects in a copy.</summary>
    public int Count => _originals.Length;

    /// <summary>Bytes of arrays that each copy has of its own.</summary>
    public long ArrayBytes => _originals.OfType<Array>().Sum(array => (long)array.Length * ElementBytes(array));

    /// <summary>What a copy consists of, for whoever wants it cheaper.</summary>
    public IEnumerable<object> Originals => _originals;

    public T Copy()
    {
        var originals = _originals;
        var copies = _copies;
        for (var i = 0; i < originals.Length; i++) copies[i] = ShallowCopy(originals[i]);
        for (var i = 0; i < _repairs.Length; i++)
        {
            var (layout, isArrayOfReferences, start) = _repairs[i];
            if (isArrayOfReferences) FixReferences(Unsafe.As<object?[]>(copies[i]), start);
            else if (layout is null) continue;
            else if (copies[i] is Array array) layout.FixElements(array, copies, _slots, start);
            else layout.Fix(copies[i], copies, _slots, start);
        }
        return (T)copies[0];
    }

    private void FixReferences(object?[] array, int start)
    {
        for (var i = 0; i < array.Length; i++)
        {
            var number = _slots[start + i];
            if (number != 0) array[i] = _copies[number - 1];
        }
    }

    private static int ElementBytes(Array array) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(array.GetType().GetElementType()!).Invoke(null, null)!; // an array has elements

    /// <summary>The one walk over the graph.</summary>
    private sealed class Walk(SharingRules rules)
    {
        private readonly Dictionary<object, int> _numbers = new(ReferenceEqualityComparer.Instance);
        private readonly HashSet<object> _spares = new(ReferenceEqualityComparer.Instance);
        private readonly Queue<object> _open = new();

        public List<object> Objects { get; } = [];

        public List<(Layout? Layout, bool IsArrayOfReferences, int Start)> Repairs { get; } = [];

        public List<int> Slots { get; } = [];

        /// <summary>Number of the copy of something from 1 on; 0 for what the copies share.</summary>
        public int Add(object? value, string where)
        {
            if (value is null || IsShared(value, where)) return 0;
            if (_numbers.TryGetValue(value, out var known)) return known;
            Objects.Add(value);
            _numbers.Add(value, Objects.Count);
            _open.Enqueue(value);
            return Objects.Count;
        }

        public void Finish()
        {
            while (_open.TryDequeue(out var next)) Repairs.Add(Visit(next));
            foreach (var spare in _spares)
            {
                if (_numbers.ContainsKey(spare)) throw new NotSupportedException($"a {spare.GetType()} lies among spares and is in use");
            }
        }

        private (Layout? Layout, bool IsArrayOfReferences, int Start) Visit(object value)
        {
            var start = Slots.Count;
            var type = value.GetType();
            if (value is Array array) return VisitArray(array, type, start);
            RefuseIdentityKeys(type);
            if (IsStack(type))
            {
                foreach (var spare in (IEnumerable)value) if (!spare.GetType().IsValueType) _spares.Add(spare);
            }
            var layout = Layout.Of(type);
            var reference = 0;
            foreach (var target in layout.References(value))
            {
                var where = layout.Name(reference++);
                Slots.Add(IsStack(type) && target is Array { Length: > 0 } spares ? AddSpares(spares) : Add(target, where));
            }
            return (layout.Count == 0 ? null : layout, false, start);
        }

        /// <summary>The array of a stack is copied, what it holds is not.</summary>
        private int AddSpares(Array spares)
        {
            Objects.Add(spares);
            _numbers.Add(spares, Objects.Count);
            _open.Enqueue(spares);
            return Objects.Count;
        }

        private (Layout? Layout, bool IsArrayOfReferences, int Start) VisitArray(Array array, Type type, int start)
        {
            var element = type.GetElementType()!; // an array has elements
            if (!element.IsValueType)
            {
                if (array.Rank != 1)
                {
                    foreach (var item in array) if (Add(item, type.ToString()) != 0) throw new NotSupportedException($"a {type} holds {item} of its own");
                    return (null, false, start);
                }
                foreach (var item in array) Slots.Add(item is not null && _spares.Contains(item) ? 0 : Add(item, type.ToString()));
                return (null, true, start);
            }
            var layout = Layout.Of(element);
            if (layout.Count == 0) return (null, false, start);
            foreach (var item in array)
            {
                var reference = 0;
                foreach (var target in layout.References(item!)) Slots.Add(Add(target, layout.Name(reference++)));
            }
            return (layout, false, start);
        }

        private bool IsShared(object value, string where)
        {
            if (value is string or Type or Pointer or Array { Length: 0 }) return true;
            if (value is Array { Rank: 1 } array && array is byte[] bytes && bytes.Length >= rules.ScratchBytesMin) return true;
            if (value is Delegate call) return call.Target is null || IsShared(call.Target, where) || IsStateless(call.Target) ? true : throw new NotSupportedException($"{where} is a call of {call.Target.GetType()}.{call.Method.Name}");
            var type = value.GetType();
            return rules.IsShared(type) || type.Name.Contains("Comparer", StringComparison.Ordinal);
        }

        private static bool IsStateless(object target) => Layout.Of(target.GetType()).Count == 0;

        private static bool IsStack(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Stack<>);

        /// <summary>A table by identity would look for the originals in the copy.</summary>
        private static void RefuseIdentityKeys(Type type)
        {
            if (!type.IsGenericType) return;
            var definition = type.GetGenericTypeDefinition();
            if (definition != typeof(Dictionary<,>) && definition != typeof(HashSet<>)) return;
            var key = type.GetGenericArguments()[0];
            if (key.IsValueType || key == typeof(string)) return;
            if (key.GetMethod(nameof(GetHashCode), Type.EmptyTypes)!.DeclaringType == typeof(object)) throw new NotSupportedException($"{type} finds its keys by identity");
        }
    }
}
