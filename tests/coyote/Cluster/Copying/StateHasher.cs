using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Membership.Links;

namespace Membership.Exploration.Cluster.Copying;

/// <summary>What of a graph is not state, and what is looked at in another way than field by field.</summary>
internal sealed class HashingRules
{
    /// <summary>Instances of these types say nothing: settings, statistics, spares.</summary>
    public required HashSet<Type> Ignored { get; init; }

    /// <summary>Fields that hold scratch, as <c>Type.field</c>.</summary>
    public required HashSet<string> IgnoredFields { get; init; }

    /// <summary>Types with contents of their own.</summary>
    public required Dictionary<Type, Action<object, StateHasher>> Special { get; init; }
}

/// <summary>A fingerprint of everything in a graph of objects that decides what happens next; times count relative to now. Two states of one fingerprint go on alike.</summary>
/// <remarks>Every field is looked at unless a rule leaves it out, so that a field added later is not forgotten. For trees: what is reached twice counts twice.</remarks>
internal sealed class StateHasher(HashingRules rules)
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private const int DepthMax = 40;
    private static readonly MethodInfo AddNumber = typeof(StateHasher).GetMethod(nameof(Add))!; // it is below
    private static readonly MethodInfo AddInstant = typeof(StateHasher).GetMethod(nameof(AddTime))!; // it is below
    private static readonly MethodInfo AddReference = typeof(StateHasher).GetMethod(nameof(AddObject))!; // it is below

    private readonly Dictionary<Type, Action<object, StateHasher>> _walks = [];
    private readonly Dictionary<Type, Delegate> _elementWalks = [];
    private ulong _hash;
    private long _now;
    private int _depth;

    /// <summary>Begins anew.</summary>
    public void Begin(Instant now) => (_hash, _now, _depth) = (0x9E3779B97F4A7C15, now.Nanoseconds, 0);

    public ulong End() => _hash ^ (_hash >> 32);

    public void Add(long value)
    {
        var high = Math.BigMul(_hash ^ (ulong)value, 0xA0761D6478BD642F, out var low);
        _hash = (high ^ low) + 0xE7037ED1A0B428DB;
    }

    /// <summary>Relative to now; what is never, always was, or was never set is so at any time.</summary>
    public void AddTime(long nanoseconds) => Add(nanoseconds is 0 or long.MaxValue or < 0 ? nanoseconds : nanoseconds - _now);

    public void AddBytes(ReadOnlySpan<byte> bytes)
    {
        Add(bytes.Length);
        foreach (var word in MemoryMarshal.Cast<byte, long>(bytes)) Add(word);
        for (var i = bytes.Length & ~7; i < bytes.Length; i++) Add(bytes[i]);
    }

    public void AddObject(object? value)
    {
        if (value is null)
        {
            Add(-1);
            return;
        }
        var type = value.GetType();
        if (rules.Ignored.Contains(type) || type.Name.Contains("Comparer", StringComparison.Ordinal)) return;
        if (++_depth > DepthMax) throw new NotSupportedException($"{type} lies deeper than {DepthMax}: a cycle?");
        if (rules.Special.TryGetValue(type, out var special)) special(value, this);
        else if (value is string text) AddBytes(MemoryMarshal.AsBytes(text.AsSpan()));
        else if (value is Array array) AddArray(array, type.GetElementType()!); // an array has elements
        else WalkOf(type)(value, this);
        _depth--;
    }

    private Action<object, StateHasher> WalkOf(Type type) => _walks.TryGetValue(type, out var known) ? known : _walks[type] = Compile(type);

    private void AddArray(Array array, Type element)
    {
        Add(array.Length);
        if (!element.IsValueType)
        {
            foreach (var item in Unsafe.As<object?[]>(array)) AddObject(item);
        }
        else if (element.IsPrimitive || element.IsEnum)
        {
            AddBytes(MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetArrayDataReference(array), Buffer.ByteLength(array)));
        }
        else
        {
            if (!_elementWalks.TryGetValue(element, out var walk)) _elementWalks.Add(element, walk = CompileElement(element));
            Loop.Of(element)(array, walk, this);
        }
    }

    private Action<object, StateHasher> Compile(Type type)
    {
        var method = new DynamicMethod($"Hash{type.Name}", null, [typeof(object), typeof(StateHasher)], type.Module, skipVisibility: true);
        Emit(method.GetILGenerator(), type, []);
        return method.CreateDelegate<Action<object, StateHasher>>();
    }

    private Delegate CompileElement(Type type)
    {
        var method = new DynamicMethod($"Hash{type.Name}", null, [type.MakeByRefType(), typeof(StateHasher)], type.Module, skipVisibility: true);
        Emit(method.GetILGenerator(), type, []);
        return method.CreateDelegate(typeof(ElementWalk<>).MakeGenericType(type));
    }

    private void Emit(ILGenerator il, Type type, FieldInfo[] path)
    {
        for (var level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            foreach (var field in level.GetFields(Declared).OrderBy(field => field.MetadataToken))
            {
                if (rules.IgnoredFields.Contains($"{Plain(level)}.{field.Name}") || rules.Ignored.Contains(field.FieldType)) continue;
                FieldInfo[] whole = [.. path, field];
                if (field.FieldType == typeof(Instant)) Call(il, [.. whole, typeof(Instant).GetFields(Declared)[0]], AddInstant, isNumber: false);
                else if (field.FieldType.IsPrimitive || field.FieldType.IsEnum) Call(il, whole, AddNumber, isNumber: true);
                else if (field.FieldType.IsValueType) Emit(il, field.FieldType, whole);
                else Call(il, whole, AddReference, isNumber: false);
            }
        }
        if (path.Length == 0) il.Emit(OpCodes.Ret);
    }

    private static void Call(ILGenerator il, FieldInfo[] path, MethodInfo method, bool isNumber)
    {
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldarg_0);
        foreach (var field in path.AsSpan(..^1)) il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Ldfld, path[^1]);
        if (isNumber) il.Emit(OpCodes.Conv_I8);
        il.Emit(OpCodes.Call, method);
    }

    private static string Plain(Type type) => type.Name.Split('`')[0];

    /// <summary>Loops over arrays whose element type is known at run time only.</summary>
    private static class Loop
    {
        private static readonly ConcurrentDictionary<Type, Action<Array, Delegate, StateHasher>> Known = [];

        public static Action<Array, Delegate, StateHasher> Of(Type element) => Known.GetOrAdd(element, static key =>
            typeof(Loop).GetMethod(nameof(Over), BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(key) // it is below
                .CreateDelegate<Action<Array, Delegate, StateHasher>>());

        private static void Over<T>(Array array, Delegate walk, StateHasher hasher)
        {
            var each = (ElementWalk<T>)walk;
            foreach (ref var element in ((T[])array).AsSpan()) each(ref element, hasher);
        }
    }
}

/// <summary>Looks at one array element.</summary>
internal delegate void ElementWalk<T>(ref T element, StateHasher hasher);
