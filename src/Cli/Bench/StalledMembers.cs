using Google.Protobuf;
using Membership.Cli.Daemons;
using Membership.V1;

namespace Membership.Cli.Bench;

/// <summary>Members of a group that never read what they get: the daemon has to cut them off and nobody else may notice.</summary>
internal sealed class StalledMembers(CommandContext context, string group) : IAsyncDisposable
{
    private readonly List<(IDaemon Daemon, IRawGroupSession Session)> _members = [];

    /// <summary>Joins so many, one connection each.</summary>
    public async Task JoinAsync(int count, CancellationToken cancellationToken)
    {
        while (_members.Count < count)
        {
            var daemon = await context.ConnectAsync(cancellationToken);
            var session = daemon.Groups.OpenRaw(static _ => { }, cancellationToken);
            _members.Add((daemon, session));
            await session.SendAsync(new GroupRequest { Open = new OpenSession { Name = "mbr bench stalled" } }.ToByteArray(), cancellationToken);
            await session.SendAsync(new GroupRequest { Join = new JoinGroup { Handle = 1, Group = group } }.ToByteArray(), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var (daemon, session) in _members)
        {
            await session.DisposeAsync();
            await daemon.DisposeAsync();
        }
    }
}
