using System.Globalization;

namespace Membership.Daemon.Access;

/// <summary>Users and groups of this machine, as <c>/etc/passwd</c> and <c>/etc/group</c> name them.</summary>
/// <remarks>Accounts of a directory service are not in those files: name them by number.</remarks>
internal sealed class LocalAccounts
{
    private readonly Dictionary<string, uint> _users = new(StringComparer.Ordinal);
    private readonly Dictionary<uint, string> _names = [];
    private readonly Dictionary<string, uint> _groups = new(StringComparer.Ordinal);

    /// <param name="passwd">Lines of passwd(5).</param>
    /// <param name="group">Lines of group(5).</param>
    public LocalAccounts(IEnumerable<string> passwd, IEnumerable<string> group)
    {
        foreach (var (name, id) in passwd.Select(Entry).OfType<(string, uint)>())
        {
            _users.TryAdd(name, id);
            _names.TryAdd(id, name);
        }
        foreach (var (name, id) in group.Select(Entry).OfType<(string, uint)>()) _groups.TryAdd(name, id);
    }

    /// <summary>Reads the files of this machine; one that cannot be read counts as empty.</summary>
    public static LocalAccounts Read() => new(Lines("/etc/passwd"), Lines("/etc/group"));

    /// <summary>A user's number by name or number.</summary>
    public uint? User(string text) => Number(text) ?? (_users.TryGetValue(text, out var id) ? id : null);

    /// <summary>A group's number by name or number.</summary>
    public uint? Group(string text) => Number(text) ?? (_groups.TryGetValue(text, out var id) ? id : null);

    /// <summary>A user's name, or his number where he has none.</summary>
    public string NameOf(uint user) => _names.GetValueOrDefault(user) ?? user.ToString(CultureInfo.InvariantCulture);

    // name:password:number:...
    private static (string Name, uint Id)? Entry(string line)
    {
        var fields = line.Split(':');
        return fields.Length >= 3 && fields[0].Length > 0 && Number(fields[2]) is { } id ? (fields[0], id) : null;
    }

    private static uint? Number(string text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return [];   // names then match nobody, which is reported for each grant
        }
    }
}
