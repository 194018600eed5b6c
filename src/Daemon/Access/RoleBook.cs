using Membership.V1;

namespace Membership.Daemon.Access;

/// <summary>A caller's role and the sentence that says which rule gave it.</summary>
internal readonly record struct Decision(Role Role, string Because);

/// <summary>Who has which role: root and the daemon's own user are admins, others have the highest role that an entry of <c>api.roles</c> grants them.</summary>
/// <remarks>Immutable, a pure function of its inputs. There are no entries that take away: whoever no entry names has no role.</remarks>
internal sealed class RoleBook
{
    private readonly uint _ownUser;
    private readonly List<(RoleGrant Grant, uint? Id)> _grants = [];

    /// <param name="accounts">Turns names into numbers, once.</param>
    public RoleBook(IEnumerable<RoleGrant> grants, LocalAccounts accounts, uint ownUser)
    {
        _ownUser = ownUser;
        Accounts = accounts;
        foreach (var grant in grants.OrderByDescending(grant => grant.Role))
        {
            var id = grant.Kind switch
            {
                Grantee.User => accounts.User(grant.Name),
                Grantee.Group => accounts.Group(grant.Name),
                _ => null,
            };
            if (grant.Kind is Grantee.User or Grantee.Group && id is null) Unknown.Add(grant);
            else _grants.Add((grant, id));
        }
    }

    /// <summary>The users and groups it was made with.</summary>
    public LocalAccounts Accounts { get; }

    /// <summary>Grants whose user or group this machine does not have; they match nobody.</summary>
    public List<RoleGrant> Unknown { get; } = [];

    /// <summary>True when somebody other than root and the daemon's user may come over the Unix socket.</summary>
    public bool AdmitsOthers => _grants.Exists(each => each.Grant.Kind != Grantee.Certificate);

    /// <summary>The role of a caller.</summary>
    public Decision Decide(Caller caller)
    {
        if (caller is Caller.Process { Peer.UserId: var user })
        {
            if (user == 0) return new Decision(Role.Admin, "root is admin");
            if (user == _ownUser) return new Decision(Role.Admin, "the daemon runs as this user");
        }
        foreach (var (grant, id) in _grants)
        {
            if (Matches(grant, id, caller)) return new Decision(grant.Role, $"{grant.Path} names {grant.Text}");
        }
        return new Decision(Role.Unspecified, "no entry of api.roles names this caller");
    }

    private static bool Matches(RoleGrant grant, uint? id, Caller caller) => (grant.Kind, caller) switch
    {
        (Grantee.User, Caller.Process process) => process.Peer.UserId == id,
        (Grantee.Group, Caller.Process process) => process.Peer.GroupId == id || process.Groups.Any(group => group == id),
        (Grantee.Others, Caller.Process) => true,
        (Grantee.Certificate, Caller.Certificate certificate) => grant.Name == "*" || certificate.Names.Any(name => IsSame(name, grant.Name)),
        _ => false,
    };

    // DNS names and the scheme and host of URIs know no case; an authority that tells two holders apart by case alone is not provided for.
    private static bool IsSame(string name, string granted) => name.Equals(granted, StringComparison.OrdinalIgnoreCase);
}
