using System.Reflection;
using Google.Protobuf.Reflection;
using Membership.V1;

namespace Membership.Daemon.Access;

/// <summary>What one method asks of its caller.</summary>
/// <param name="Name">As on the wire, without the slash in front: <c>membership.v1.AdminService/Leave</c>.</param>
/// <param name="Needed">The least role that may call it.</param>
/// <param name="Mutates">It changes something: each call is audited.</param>
internal sealed record MethodAccess(string Name, Role Needed, bool Mutates);

/// <summary>Every method of every service and the role it needs, read from the descriptors of the proto files. What is not here may nobody call.</summary>
internal sealed class MethodTable
{
    /// <summary>Services of public contracts, whose proto files know no roles. Both only tell: who may read the status may read them.</summary>
    private static readonly (ServiceDescriptor Service, Role Needed)[] Standard =
    [
        (global::Grpc.Health.V1.Health.Descriptor, Role.Read),
        (global::Grpc.Reflection.V1.ServerReflection.Descriptor, Role.Read),
        (global::Grpc.Reflection.V1Alpha.ServerReflection.Descriptor, Role.Read),
    ];

    private readonly SortedDictionary<string, MethodAccess> _methods = new(StringComparer.Ordinal);

    private MethodTable(IEnumerable<ServiceDescriptor> services)
    {
        foreach (var method in services.SelectMany(service => service.Methods))
        {
            var options = method.GetOptions();
            var needed = options?.GetExtension(AccessExtensions.Role) ?? Role.Unspecified;
            if (needed != Role.Unspecified) Add(method, needed, options!.GetExtension(AccessExtensions.Mutates));   // an option was there, or the role were unspecified
        }
        foreach (var (service, needed) in Standard)
        {
            foreach (var method in service.Methods) Add(method, needed, mutates: false);
        }
    }

    /// <summary>All methods, by name.</summary>
    public IReadOnlyCollection<MethodAccess> All => _methods.Values;

    /// <summary>The table of the services of <c>membership.v1</c>, health and reflection.</summary>
    public static MethodTable Read() => new(Services());

    /// <summary>The table of given services, for tests.</summary>
    internal static MethodTable Of(IEnumerable<ServiceDescriptor> services) => new(services);

    /// <summary>Every service that the proto files of this project declare.</summary>
    public static IReadOnlyList<ServiceDescriptor> Services() =>
    [
        .. typeof(AccessReflection).Assembly.GetTypes()
            .Select(type => type.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static))
            .Where(property => property?.PropertyType == typeof(FileDescriptor))
            .SelectMany(property => ((FileDescriptor)property!.GetValue(null)!).Services)   // as just seen; a generated descriptor is never null
            .OrderBy(service => service.FullName, StringComparer.Ordinal),
    ];

    /// <summary>The method of a name as on the wire, with or without the slash in front; null when nobody may call it.</summary>
    public MethodAccess? Find(string name) => _methods.GetValueOrDefault(name.TrimStart('/'));

    private void Add(MethodDescriptor method, Role needed, bool mutates)
    {
        var name = $"{method.Service.FullName}/{method.Name}";
        _methods.Add(name, new MethodAccess(name, needed, mutates));
    }
}
