using System.Text;
using Membership.Daemon.Access;
using Membership.Grpc.Tls;
using Membership.V1;

namespace Membership.Daemon.Configuration;

/// <content>The section <c>api</c>: where clients reach the daemon, and who may do what.</content>
internal sealed partial class ConfigurationReader
{
    private const string GrantForm = "user:NAME, group:NAME, cert:NAME or others";

    /// <summary>Where the certificates are unless <c>api.tls</c> says otherwise, relative to the file: the same on all nodes, the content differs.</summary>
    private const string DefaultAuthorities = "tls/ca.pem";
    private const string DefaultCertificate = "tls/node.pem";
    private const string DefaultKey = "tls/node.key";

    private static string? ReadSocket(MapBinder map)
    {
        var socket = map.Text("socket", "an absolute path", "Write for example /run/membership/api.sock.");
        if (socket is not null && !Path.IsPathRooted(socket)) map.Add("socket", $"is {Printable.Value(socket)}, not an absolute path. Write for example /run/membership/api.sock.");
        else if (socket is not null && Encoding.UTF8.GetByteCount(socket) > SocketPathBytesMax)
            map.Add("socket", $"is {Encoding.UTF8.GetByteCount(socket)} bytes long, above {SocketPathBytesMax}, the limit of the system. Choose a shorter path.");
        return socket;
    }

    private static string? ReadTcp(MapBinder map)
    {
        var tcp = map.Text("tcp", "a network and port", "Write for example 10.0.0.0/24:7801.");
        if (tcp is not null && !TcpPlace.IsValid(tcp)) map.Add("tcp", $"is {Printable.Value(tcp)}, not an address or network with a port. Write for example 10.0.0.0/24:7801.");
        if (tcp is null && map.Find("tls") is not null) map.Warn("tls", "has no effect without api.tcp: local clients use the Unix socket.");
        return tcp;
    }

    private TlsFiles ReadTls(MapBinder? api)
    {
        var map = api?.Map("tls", "Write for example tls: { ca: tls/ca.pem, certificate: tls/node.pem, key: tls/node.key }.", "ca", "certificate", "key");
        return new TlsFiles
        {
            Authorities = File("ca", DefaultAuthorities),
            Certificate = File("certificate", DefaultCertificate),
            Key = File("key", DefaultKey),
        };

        string File(string key, string fallback)
        {
            var text = map?.Text(key, "the name of a PEM file", $"Write for example {fallback}.");
            if (text is "") map!.Add(key, $"is \"\", not the name of a PEM file. Write for example {fallback}.");   // there is a map, or there were no text
            return Path.GetFullPath(text is null or "" ? fallback : text, _directory);
        }
    }

    private List<RoleGrant> ReadRoles(MapBinder api, bool hasTcp)
    {
        List<RoleGrant> grants = [];
        string[] words = [.. RoleText.Grantable.Select(RoleText.Of)];
        if (api.Map("roles", "Write for example roles: { read: [others], operate: [\"group:ops\"] }.", words) is not { } map) return grants;
        foreach (var role in RoleText.Grantable)
        {
            var word = RoleText.Of(role);
            var items = map.List(word, $"Write a list of {GrantForm}.");
            for (var i = 0; i < items.Count; i++) ReadGrant(map, role, items[i], $"{map.PathOf(word)}[{i}]", grants);
        }
        if (grants.Find(grant => grant.Kind == Grantee.Others && grant.Role > Role.App) is { } wide)
            map.Warn(RoleText.Of(wide.Role), $"names others: every user of this machine may change the cluster. Name users or groups.");
        if (!hasTcp && grants.Find(grant => grant.Kind == Grantee.Certificate) is { } idle)
            map.Warn(RoleText.Of(idle.Role), $"names {Printable.Text(idle.Text)}, which has no effect without api.tcp: there are no certificates on the Unix socket.");
        return grants;
    }

    private void ReadGrant(MapBinder map, Role role, YamlNode node, string path, List<RoleGrant> grants)
    {
        if (map.Scalar(node, path, GrantForm, "Write for example user:alice.") is not { } text) return;
        if (RoleGrant.Parse(role, text, path) is not { } grant)
            _mistakes.Add(node, path, $"is {Printable.Value(text)}, not {GrantForm}. Write for example user:alice.");
        else if (grants.Find(each => each.Text == grant.Text) is { } before)
            _mistakes.Add(node, path, $"is {Printable.Value(text)}, which {before.Path} names already. Each role includes those before it: leave only the highest.");
        else grants.Add(grant);
    }
}
