using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Membership.Grpc.Server.Services;

/// <summary>The files, names and services a server lets clients look up.</summary>
internal sealed class ReflectionIndex
{
    private readonly SortedDictionary<string, FileDescriptor> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileDescriptor> _symbols = new(StringComparer.Ordinal);

    public ReflectionIndex(IEnumerable<ServiceDescriptor> services)
    {
        Services = [.. services.Select(service => service.FullName).Order(StringComparer.Ordinal)];
        foreach (var service in services) AddFile(service.File);
    }

    public IReadOnlyList<string> Services { get; }

    /// <summary>The file, then all it imports; null when unknown.</summary>
    public IReadOnlyList<ByteString>? ByFileName(string name) => _files.TryGetValue(name, out var file) ? WithImports(file) : null;

    /// <summary>The file that declares a service, method, message, field, enum or value.</summary>
    public IReadOnlyList<ByteString>? BySymbol(string name) =>
        _symbols.TryGetValue(name.TrimStart('.'), out var file) ? WithImports(file) : null;

    public bool IsMessage(string name) => _files.Values.Any(file => file.FindTypeByName<MessageDescriptor>(WithoutPackage(file, name)) is not null);

    private static string WithoutPackage(FileDescriptor file, string name) =>
        file.Package.Length > 0 && name.StartsWith(file.Package + ".", StringComparison.Ordinal) ? name[(file.Package.Length + 1)..] : name;

    private void AddFile(FileDescriptor file)
    {
        if (!_files.TryAdd(file.Name, file)) return;
        foreach (var import in file.Dependencies) AddFile(import);
        foreach (var service in file.Services)
        {
            _symbols[service.FullName] = file;
            foreach (var method in service.Methods) _symbols[method.FullName] = file;
        }
        foreach (var message in file.MessageTypes) AddMessage(message, file);
        foreach (var type in file.EnumTypes) AddEnum(type, file);
    }

    private void AddMessage(MessageDescriptor message, FileDescriptor file)
    {
        _symbols[message.FullName] = file;
        foreach (var field in message.Fields.InDeclarationOrder()) _symbols[field.FullName] = file;
        foreach (var nested in message.NestedTypes) AddMessage(nested, file);
        foreach (var type in message.EnumTypes) AddEnum(type, file);
    }

    private void AddEnum(EnumDescriptor type, FileDescriptor file)
    {
        _symbols[type.FullName] = file;
        foreach (var value in type.Values) _symbols[value.FullName] = file;
    }

    private static List<ByteString> WithImports(FileDescriptor file)
    {
        var ordered = new List<ByteString>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Add(file);
        ordered.Reverse();
        return ordered;

        void Add(FileDescriptor next)
        {
            if (!seen.Add(next.Name)) return;
            foreach (var import in next.Dependencies) Add(import);
            ordered.Add(next.SerializedData);
        }
    }
}
