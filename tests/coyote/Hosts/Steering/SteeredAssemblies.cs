using System.Reflection;
using System.Runtime.Loader;
using Membership.Explorer;

namespace Membership.Exploration.Hosts.Steering;

/// <summary>A second copy of the product's hosts and of these suites, in which every way to the thread pool leads to <see cref="Seams"/>.</summary>
/// <remarks>
/// The assemblies are changed as they are loaded, in memory: what is explored is the compiled product, whatever build it came from, and nothing in
/// the product knows about it. The explorer and the cores stay those of the process.
/// </remarks>
internal sealed class SteeredAssemblies : AssemblyLoadContext
{
    private static readonly string[] Names = ["membershipd", "Membership.Client", "Membership.Grpc", "Membership.Grpc.Server", "Membership.Proto", "Membership.Exploration.Hosts"];

    private static readonly Lazy<SteeredAssemblies> Loaded = new(static () => new SteeredAssemblies());

    private readonly Dictionary<string, Assembly> _assemblies = [];

    private SteeredAssemblies()
        : base("steered")
    {
    }

    /// <summary>A suite as the steered copy has it.</summary>
    /// <param name="type">The class that holds it.</param>
    /// <param name="method">Takes the exploration.</param>
    public static Action<IExploration> Suite(Type type, string method)
    {
        Action<IExploration>? suite = null;
        return exploration => (suite ??= Loaded.Value.Find(type, method))(exploration);
    }

    /// <inheritdoc/>
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (assemblyName.Name is not { } name || !Names.Contains(name)) return null;
        lock (_assemblies)
        {
            if (_assemblies.TryGetValue(name, out var loaded)) return loaded;
            var (code, symbols) = Rewriter.Rewrite(Path.Combine(AppContext.BaseDirectory, name + ".dll"));
            return _assemblies[name] = LoadFromStream(code, symbols);
        }
    }

    private Action<IExploration> Find(Type type, string method)
    {
        var steered = LoadFromAssemblyName(new AssemblyName(Names[^1])).GetType(type.FullName!, throwOnError: true)!;   // a class of this assembly has a name
        var found = steered.GetMethod(method, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic) ?? throw new MissingMethodException(type.FullName, method);
        return found.CreateDelegate<Action<IExploration>>();
    }
}
