using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Membership.Exploration.Cluster.Copying;

/// <summary>Where a type keeps references, in a fixed order: those of its own fields and those inside structs that its fields hold.</summary>
/// <remarks>Compiled to a method that replaces them: read-only fields too, which is what reflection's emit can and expression trees cannot.</remarks>
internal sealed class Layout
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly ConcurrentDictionary<Type, Layout> Known = [];
    private static readonly MethodInfo TakeMethod = typeof(Layout).GetMethod(nameof(Take), BindingFlags.Static | BindingFlags.NonPublic)!; // it is below

    private readonly FieldInfo[][] _paths;
    private readonly Type _type;
    private Action<object, object[], int[], int>? _fixObject;
    private Delegate? _fixElement;

    private Layout(Type type)
    {
        _type = type;
        var paths = new List<FieldInfo[]>();
        Collect(type, [], paths);
        _paths = [.. paths];
    }

    /// <summary>How many references an instance (or an element, of a struct) has.</summary>
    public int Count => _paths.Length;

    public static Layout Of(Type type) => Known.GetOrAdd(type, static key => new Layout(key));

    /// <summary>The references of an instance in the order of the layout.</summary>
    public IEnumerable<object?> References(object instance)
    {
        foreach (var path in _paths)
        {
            object? value = instance;
            foreach (var field in path) value = field.GetValue(value);
            yield return value;
        }
    }

    /// <summary>Names of the fields that lead to a reference, for messages.</summary>
    public string Name(int reference) => $"{_type.Name}.{string.Join('.', _paths[reference].Select(field => field.Name))}";

    /// <summary>Points the references of a shallow copy at other copies: reference i at number <c>slots[start + i]</c>, or leaves it where that is 0.</summary>
    public void Fix(object copy, object[] copies, int[] slots, int start) => (_fixObject ??= CompileForObject())(copy, copies, slots, start);

    /// <summary>The same for each element of an array of structs.</summary>
    public void FixElements(Array copy, object[] copies, int[] slots, int start)
    {
        _fixElement ??= CompileForElement();
        ElementLoops.Of(_type)(copy, _fixElement, copies, slots, start, Count);
    }

    private static void Collect(Type type, FieldInfo[] prefix, List<FieldInfo[]> paths)
    {
        for (var level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            foreach (var field in level.GetFields(Declared).OrderBy(field => field.MetadataToken))
            {
                if (field.FieldType.IsPointer || field.FieldType.IsPrimitive || field.FieldType.IsEnum) continue;
                if (!field.FieldType.IsValueType) paths.Add([.. prefix, field]);
                else if (field.FieldType != type) Collect(field.FieldType, [.. prefix, field], paths);
            }
        }
    }

    private Action<object, object[], int[], int> CompileForObject()
    {
        var method = new DynamicMethod($"Fix{_type.Name}", null, [typeof(object), typeof(object[]), typeof(int[]), typeof(int)], _type.Module, skipVisibility: true);
        Emit(method.GetILGenerator());
        return method.CreateDelegate<Action<object, object[], int[], int>>();
    }

    private Delegate CompileForElement()
    {
        var method = new DynamicMethod($"Fix{_type.Name}", null, [_type.MakeByRefType(), typeof(object[]), typeof(int[]), typeof(int)], _type.Module, skipVisibility: true);
        Emit(method.GetILGenerator());
        return method.CreateDelegate(typeof(ElementFixer<>).MakeGenericType(_type));
    }

    private void Emit(ILGenerator il)
    {
        for (var i = 0; i < _paths.Length; i++)
        {
            Address(il, _paths[i]);
            Address(il, _paths[i]);
            il.Emit(OpCodes.Ldfld, _paths[i][^1]);
            il.Emit(OpCodes.Ldarg_1);
            il.Emit(OpCodes.Ldarg_2);
            il.Emit(OpCodes.Ldarg_3);
            il.Emit(OpCodes.Ldc_I4, i);
            il.Emit(OpCodes.Add);
            il.Emit(OpCodes.Call, TakeMethod);
            il.Emit(OpCodes.Stfld, _paths[i][^1]);
        }
        il.Emit(OpCodes.Ret);
    }

    private static void Address(ILGenerator il, FieldInfo[] path)
    {
        il.Emit(OpCodes.Ldarg_0);
        foreach (var field in path.AsSpan(..^1)) il.Emit(OpCodes.Ldflda, field);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static object? Take(object? current, object[] copies, int[] slots, int index)
    {
        var number = slots[index];
        return number == 0 ? current : copies[number - 1];
    }
}

/// <summary>Points the references of one array element elsewhere.</summary>
internal delegate void ElementFixer<T>(ref T element, object[] copies, int[] slots, int start);

/// <summary>Loops over arrays whose element type is known at run time only.</summary>
internal static class ElementLoops
{
    private static readonly ConcurrentDictionary<Type, Action<Array, Delegate, object[], int[], int, int>> Known = [];

    public static Action<Array, Delegate, object[], int[], int, int> Of(Type element) => Known.GetOrAdd(element, static key =>
        typeof(ElementLoops).GetMethod(nameof(Loop), BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(key) // it is below
            .CreateDelegate<Action<Array, Delegate, object[], int[], int, int>>());

    private static void Loop<T>(Array array, Delegate fix, object[] copies, int[] slots, int start, int count)
    {
        var each = (ElementFixer<T>)fix;
        foreach (ref var element in ((T[])array).AsSpan())
        {
            each(ref element, copies, slots, start);
            start += count;
        }
    }
}
