using Membership.V1;

namespace Membership.Daemon.Access;

/// <summary>Whom an entry of <c>api.roles</c> is about.</summary>
internal enum Grantee
{
    /// <summary>A user of this machine.</summary>
    User,

    /// <summary>The members of a group of this machine.</summary>
    Group,

    /// <summary>The holder of a certificate.</summary>
    Certificate,

    /// <summary>Every user of this machine.</summary>
    Others,
}

/// <summary>One entry of <c>api.roles</c>.</summary>
/// <param name="Role">What is granted.</param>
/// <param name="Kind">To what kind of caller.</param>
/// <param name="Name">Name or number, or a certificate's name (<c>*</c>: any); empty for others.</param>
/// <param name="Path">Where it stands, for example <c>api.roles.operate[0]</c>.</param>
internal sealed record RoleGrant(Role Role, Grantee Kind, string Name, string Path)
{
    /// <summary>As written in the file.</summary>
    public string Text => Kind switch
    {
        Grantee.User => $"user:{Name}",
        Grantee.Group => $"group:{Name}",
        Grantee.Certificate => $"cert:{Name}",
        _ => "others",
    };

    /// <summary>Reads <c>user:NAME</c>, <c>group:NAME</c>, <c>cert:NAME</c> or <c>others</c>; null when it is none of them.</summary>
    public static RoleGrant? Parse(Role role, string text, string path)
    {
        if (text == "others") return new RoleGrant(role, Grantee.Others, "", path);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || colon == text.Length - 1) return null;
        var name = text[(colon + 1)..];
        return text[..colon] switch
        {
            "user" => new RoleGrant(role, Grantee.User, name, path),
            "group" => new RoleGrant(role, Grantee.Group, name, path),
            "cert" => new RoleGrant(role, Grantee.Certificate, name, path),
            _ => null,
        };
    }
}
