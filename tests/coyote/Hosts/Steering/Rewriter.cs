using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Membership.Exploration.Hosts.Steering;

/// <summary>Leads every call that would go to the thread pool, a clock or a timer of the machine to <see cref="Seams"/> instead.</summary>
/// <remarks>
/// Awaits need no change: they resume through the synchronization context of whoever awaited. What leaves it are <c>ConfigureAwait(false)</c>, tasks that
/// complete others through the pool (<c>WaitAsync</c>, <c>WhenAny</c>, <c>WhenAll</c>, <c>CancelAsync</c>, <c>ContinueWith</c> on the default scheduler) and <c>Task.Run</c>.
/// Before each volatile or interlocked access and each use of a channel stands a point at which another thread may go first (<see cref="Seams.Point"/>), but not where a lock is held.
/// </remarks>
internal sealed class Rewriter
{
    private const string TaskType = "System.Threading.Tasks.Task";
    private const string SourceType = "System.Threading.CancellationTokenSource";

    // Of these, calls are replaced by the method of Seams with that name and the same parameters, an object first where they had one.
    private static readonly HashSet<string> Replaced =
    [
        $"{TaskType}.WaitAsync", $"{TaskType}.WhenAny", $"{TaskType}.WhenAll", $"{TaskType}.Run", $"{TaskType}`1.WaitAsync", $"{SourceType}.CancelAsync",
        "System.Threading.Tasks.TaskScheduler.get_Default", "System.TimeProvider.get_System",
        "System.Diagnostics.Stopwatch.GetTimestamp", "System.Diagnostics.Stopwatch.GetElapsedTime",
        "Membership.Daemon.Ring.Libc.TrySetNice", "Membership.Daemon.Ring.Libc.UseExactTimers",
    ];

    private static readonly HashSet<string> Accesses = ["System.Threading.Volatile", "System.Threading.Interlocked"];
    private static readonly HashSet<string> ChannelUses = ["TryWrite", "TryRead", "get_Count"];

    private readonly ModuleDefinition _module;
    private readonly TypeDefinition _seams;
    private readonly MethodReference _point;
    private readonly SortedSet<string> _missing = new(StringComparer.Ordinal);

    private Rewriter(ModuleDefinition module, ModuleDefinition own)
    {
        _module = module;
        _seams = own.GetType(typeof(Seams).FullName);
        _point = module.ImportReference(_seams.Methods.Single(method => method.Name == nameof(Seams.Point)));
    }

    /// <summary>The assembly as it is to be loaded, with its symbols where there are any.</summary>
    public static (Stream Code, Stream? Symbols) Rewrite(string file)
    {
        var folder = new DefaultAssemblyResolver();
        folder.AddSearchDirectory(Path.GetDirectoryName(file));
        foreach (var shared in new[] { typeof(object), typeof(Microsoft.AspNetCore.Http.HttpContext) }) folder.AddSearchDirectory(Path.GetDirectoryName(shared.Assembly.Location));
        var hasSymbols = File.Exists(Path.ChangeExtension(file, ".pdb"));
        using var module = ModuleDefinition.ReadModule(file, new ReaderParameters { AssemblyResolver = folder, ReadSymbols = hasSymbols, InMemory = true });
        var isOwn = module.Assembly.Name.Name == typeof(Seams).Assembly.GetName().Name;
        using var own = isOwn ? null : ModuleDefinition.ReadModule(typeof(Seams).Assembly.Location, new ReaderParameters { AssemblyResolver = folder, InMemory = true });
        var rewriter = new Rewriter(module, own ?? module);
        foreach (var type in module.GetAllTypes())
        {
            if (isOwn && type.FullName.StartsWith(typeof(Seams).Namespace!, StringComparison.Ordinal)) continue;   // it has a namespace
            foreach (var method in type.Methods.Where(method => method.HasBody)) rewriter.Rewrite(method.Body);
        }

        if (rewriter._missing.Count > 0) throw new NotSupportedException($"{file} calls what leads to the thread pool or to a clock: add to Seams {string.Join("; ", rewriter._missing)}");
        var (code, symbols) = (new MemoryStream(), hasSymbols ? new MemoryStream() : null);
        var writing = new WriterParameters { WriteSymbols = hasSymbols, SymbolStream = symbols, SymbolWriterProvider = hasSymbols ? new PortablePdbWriterProvider() : null };
        module.Write(code, writing);
        code.Position = 0;
        if (symbols is not null) symbols.Position = 0;
        return (code, symbols);
    }

    private void Rewrite(MethodBody body)
    {
        body.SimplifyMacros();
        var locks = body.Instructions.Any(static instruction => instruction.Operand is MethodReference { DeclaringType.FullName: "System.Threading.Lock" or "System.Threading.Monitor" });
        var steps = body.GetILProcessor();
        foreach (var instruction in body.Instructions.ToArray())
        {
            if (instruction.OpCode.Code is not (Code.Call or Code.Callvirt) || instruction.Operand is not MethodReference called) continue;
            var declaring = called.DeclaringType.GetElementType().FullName;
            var name = $"{declaring}.{called.Name}";
            if (called.Name == "ConfigureAwait" && called.Parameters.Count > 0) KeepContext(steps, instruction, called);
            else if (Replaced.Contains(name)) Replace(instruction, called);
            else if (!locks && IsAccess(declaring, called.Name)) PutPointBefore(steps, instruction);
        }

        body.OptimizeMacros();
    }

    private static bool IsAccess(string declaring, string method) =>
        Accesses.Contains(declaring) || (ChannelUses.Contains(method) && declaring.StartsWith("System.Threading.Channels.Channel", StringComparison.Ordinal));

    // The argument on the stack becomes true, or gains the flag of that meaning; jumps to the call still lead to what comes first.
    private static void KeepContext(ILProcessor steps, Instruction instruction, MethodReference called)
    {
        var call = Instruction.Create(instruction.OpCode, called);
        if (called.Parameters[^1].ParameterType.FullName == "System.Boolean")
        {
            (instruction.OpCode, instruction.Operand) = (OpCodes.Pop, null);
            InsertAfter(steps, instruction, Instruction.Create(OpCodes.Ldc_I4_1), call);
        }
        else
        {
            (instruction.OpCode, instruction.Operand) = (OpCodes.Ldc_I4_1, null);
            InsertAfter(steps, instruction, Instruction.Create(OpCodes.Or), call);
        }
    }

    private void PutPointBefore(ILProcessor steps, Instruction instruction)
    {
        // A prefix (constrained, tail) belongs to its call.
        if (instruction.Previous?.OpCode.OpCodeType == OpCodeType.Prefix) return;
        var call = Instruction.Create(instruction.OpCode, (MethodReference)instruction.Operand);
        (instruction.OpCode, instruction.Operand) = (OpCodes.Call, _point);
        InsertAfter(steps, instruction, call);
    }

    private void Replace(Instruction instruction, MethodReference called)
    {
        var parameters = called.Parameters.Select(parameter => Shape(parameter.ParameterType)).ToList();
        if (called.HasThis) parameters.Insert(0, called.DeclaringType is GenericInstanceType type ? $"{type.ElementType.Name}<{string.Join(',', type.GenericArguments.Select(_ => "T"))}>" : called.DeclaringType.Name);
        var candidate = _seams.Methods.FirstOrDefault(method =>
            method.Name == called.Name && method.Parameters.Select(parameter => Shape(parameter.ParameterType)).SequenceEqual(parameters)
            && method.GenericParameters.Count == GenericArguments(called).Count);
        if (candidate is null)
        {
            _missing.Add(called.FullName);
            return;
        }

        var target = _module.ImportReference(candidate);
        if (GenericArguments(called) is { Count: > 0 } arguments)
        {
            var instance = new GenericInstanceMethod(target);
            foreach (var argument in arguments) instance.GenericArguments.Add(argument);
            target = instance;
        }

        (instruction.OpCode, instruction.Operand) = (OpCodes.Call, target);
    }

    private static List<TypeReference> GenericArguments(MethodReference called)
    {
        if (called is GenericInstanceMethod method) return [.. method.GenericArguments];
        return called.DeclaringType is GenericInstanceType type ? [.. type.GenericArguments] : [];
    }

    // Enough of a type to tell the overloads of one name apart.
    private static string Shape(TypeReference type) => type switch
    {
        ArrayType array => $"{Shape(array.ElementType)}[]",
        GenericInstanceType instance => $"{instance.ElementType.Name}<{string.Join(',', instance.GenericArguments.Select(argument => argument is GenericParameter ? "T" : Shape(argument)))}>",
        GenericParameter => "T",
        _ => type.Name,
    };

    private static void InsertAfter(ILProcessor steps, Instruction at, params Instruction[] added)
    {
        foreach (var instruction in added)
        {
            steps.InsertAfter(at, instruction);
            at = instruction;
        }
    }
}
