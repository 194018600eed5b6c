using Membership.Cli.Commands;
using Membership.Cli.Daemons;
using Membership.Cli.Errors;
using Membership.V1;

namespace Membership.Cli.Checks;

/// <summary>Where the doctor looks.</summary>
/// <param name="ConfigurationFile">The configuration.</param>
/// <param name="Node">Name of this node; null: the host name.</param>
/// <param name="StateDirectory">The daemon's memory.</param>
internal sealed record DoctorPlaces(string ConfigurationFile, string? Node, string StateDirectory);

/// <summary>Looks at everything that commonly goes wrong, in the order in which one builds on the other. Nothing is changed.</summary>
internal sealed class Doctor(CommandContext context, DoctorPlaces places)
{
    private readonly List<Finding> _findings = [];

    /// <summary>All findings; none of them throws.</summary>
    public async Task<IReadOnlyList<Finding>> ExamineAsync(bool socketIsNamed, CancellationToken cancellationToken)
    {
        var configuration = await ConfigurationAsync(cancellationToken);
        var here = socketIsNamed || configuration is not { Socket.Length: > 0 } ? context : context with { Socket = configuration.Socket };
        await using var daemon = await DaemonAsync(here, cancellationToken);
        var status = daemon is null ? null : await StatusAsync(here, daemon, cancellationToken);
        var self = places.Node ?? status?.NodeName ?? Environment.MachineName;
        if (configuration?.Nodes.FirstOrDefault(node => node.Name == self) is { } node)
            _findings.AddRange(MachineFindings.Ports(node, status is not null));
        else
            _findings.Add(Finding.Skipped("port", $"the links of {self} are not known: no node of that name, or no good configuration (--config FILE, --node NAME)"));
        _findings.Add(MachineFindings.StateDirectory(places.StateDirectory, status is not null));
        _findings.Add(MachineFindings.ClockSource());
        _findings.Add(await MachineFindings.StallsAsync(TimeProvider.System, configuration?.LinkDownMs ?? 0, cancellationToken));
        if (daemon is not null && status is not null)
            await ClusterAsync(here, daemon, status, cancellationToken);
        return _findings;
    }

    private async Task<CheckedConfiguration?> ConfigurationAsync(CancellationToken cancellationToken)
    {
        var file = places.ConfigurationFile;
        if (!File.Exists(file))
        {
            _findings.Add(Finding.Bad("configuration", $"{file} does not exist or may not be seen", "copy it from another node, write one with mbr config init, or name it with --config FILE"));
            return null;
        }
        try
        {
            var configuration = await CheckedConfiguration.ReadAsync(context.Host, file, places.Node, cancellationToken);
            foreach (var mistake in configuration.Mistakes)
                _findings.Add(Finding.Bad(mistake.File == file ? "configuration" : "key", $"{mistake.Place} {mistake.Text}", "repair it, then mbr config check"));
            foreach (var warning in configuration.Warnings)
                _findings.Add(Finding.Warning(warning.File == file ? "configuration" : "key", $"{warning.Place} {warning.Text}", "see docs/operating/configuration.md"));
            if (configuration.Mistakes.Count > 0)
                return null;
            _findings.Add(Finding.Good("configuration", $"{file}: {configuration.Nodes.Count} nodes, digest {configuration.Digest}"));
            if (File.Exists(configuration.KeyFile))
                _findings.Add(Finding.Good("key", $"{configuration.KeyFile} is closed to others and has an active key"));
            return configuration;
        }
        catch (CliException error)
        {
            _findings.Add(Finding.Skipped("configuration", $"{error.Entry.Code} {error.Message}"));
            return null;
        }
    }

    private async Task<IDaemon?> DaemonAsync(CommandContext here, CancellationToken cancellationToken)
    {
        try
        {
            return await here.ConnectAsync(cancellationToken);
        }
        catch (CliException error)
        {
            _findings.Add(Finding.Bad("daemon", $"{error.Entry.Code} {error.Message}", error.Fix));
            return null;
        }
    }

    private async Task<GetStatusResponse?> StatusAsync(CommandContext here, IDaemon daemon, CancellationToken cancellationToken)
    {
        try
        {
            var status = await StatusCommand.ReadAsync(here, daemon, cancellationToken);
            _findings.Add(status.RingState is "operational"
                ? Finding.Good("daemon", $"{status.NodeName} runs {status.Version} and answers at {here.Socket}")
                : Finding.Warning("daemon", $"{status.NodeName} answers, but its ring is in state {status.RingState}", "wait some seconds, then see mbr status and the log"));
            return status;
        }
        catch (CliException error)
        {
            _findings.Add(Finding.Bad("daemon", $"{error.Entry.Code} {error.Message}", error.Fix));
            return null;
        }
    }

    private async Task ClusterAsync(CommandContext here, IDaemon daemon, GetStatusResponse status, CancellationToken cancellationToken)
    {
        _findings.AddRange(ClusterFindings.Of(status));
        await AddAsync("quorum", async () => ClusterFindings.Quorum(await QuorumCommands.ReadAsync(here, daemon, cancellationToken)));
        await AddAsync("drift", async () => ClusterFindings.Drift(await here.WithinTimeoutAsync(
            "comparing the configuration", token => daemon.Admin.ReloadAsync(new ReloadRequest(), token), cancellationToken)));
    }

    private async Task AddAsync(string check, Func<Task<Finding>> look)
    {
        try
        {
            _findings.Add(await look());
        }
        catch (CliException error)
        {
            _findings.Add(Finding.Skipped(check, $"{error.Entry.Code} {error.Message}"));
        }
    }
}
