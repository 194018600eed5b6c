using System.Globalization;
using Membership.Daemon.Configuration;
using Membership.Links;
using Membership.Totem;
using Proto = Membership.V1;

namespace Membership.Daemon.Services;

/// <summary>Views as the API shows them.</summary>
internal sealed class ProtoViews(ClusterConfiguration configuration)
{
    private readonly Dictionary<NodeId, string> _names = configuration.Nodes.ToDictionary(n => n.Id, n => n.Name);

    /// <summary>16 hex digits.</summary>
    public static string Boot(ulong boot) => boot.ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>One view.</summary>
    public Proto.View Of(InstalledView installed)
    {
        var view = installed.View;
        return new Proto.View
        {
            Id = view.Id.ToString(),
            Transitional = view.Transitional,
            Number = view.Number,
            Members = { view.Members.Select(Member) },
            Previous = view.Previous?.ToString() ?? "",
            Joined = { view.Joined.Select(Member) },
            Left = { view.Left.Select(Member) },
            TNs = installed.Time,
            Revision = installed.Revision,
        };
    }

    private Proto.ViewMember Member(ViewMember member) =>
        new() { Node = member.Node.Value, Name = _names.GetValueOrDefault(member.Node, ""), Boot = Boot(member.Boot) };
}
