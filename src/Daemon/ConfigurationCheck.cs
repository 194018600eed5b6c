using Membership.Daemon.Configuration;
using Membership.Grpc.Tls;

namespace Membership.Daemon;

/// <summary>Reads configuration and keys, for a start and for <c>--check-config</c>.</summary>
internal static class ConfigurationCheck
{
    /// <summary>Prints what is wrong, or the effective values; returns the exit code.</summary>
    public static int Run(CommandLine line, TextWriter output, TextWriter errors)
    {
        var result = WithCertificates(WithKeys(Read(line.ConfigFile, line.Node)));
        if (line.Json) output.WriteLine(EffectiveConfiguration.Json(line.ConfigFile, result, line.Effective));
        else
        {
            foreach (var mistake in result.Mistakes) errors.WriteLine(mistake);
            foreach (var warning in result.Warnings) errors.WriteLine($"{warning} (warning)");
            if (line.Effective && result.Configuration is { } configuration) output.Write(EffectiveConfiguration.Text(configuration));
            else if (result.Configuration is { } good) output.WriteLine($"{line.ConfigFile}: good: cluster {good.Cluster}, {good.Nodes.Count} nodes, timing {good.Timing.Profile}");
        }
        return result.Mistakes.Count == 0 ? ExitCode.Ok : ExitCode.Configuration;
    }

    /// <summary>Reads the configuration of a node.</summary>
    /// <exception cref="StartException">78: the file cannot be read.</exception>
    public static ConfigurationResult Read(string file, string? self)
    {
        try
        {
            return ConfigurationReader.ReadFile(file, self);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StartException(ExitCode.Configuration, $"{file}: the configuration file does not exist. Copy it from another node, or name it with --config FILE.");
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StartException(ExitCode.Configuration, $"{file}: the configuration file cannot be read: {failed.Message} Check its owner and mode: ls -l {file}");
        }
    }

    // A missing key file is a warning here: configurations are also checked where no secrets are.
    private static ConfigurationResult WithKeys(ConfigurationResult result)
    {
        if (result.Configuration is not { } configuration) return result;
        if (!File.Exists(configuration.KeyFile))
            return result with { Warnings = [.. result.Warnings, new Mistake(configuration.KeyFile, 0, 0, "", "the key file does not exist here: the daemon will not start without it.")] };
        var mistakes = new MistakeList(configuration.KeyFile);
        KeyFile.Read(configuration.KeyFile, mistakes);
        return result with { Mistakes = [.. result.Mistakes, .. mistakes.Mistakes], Configuration = mistakes.IsEmpty ? configuration : null };
    }

    // As with keys: missing files are a warning here, and the daemon will not start without them.
    private static ConfigurationResult WithCertificates(ConfigurationResult result)
    {
        if (result.Configuration is not { Api: { Tcp: not null, Tls: var files } } configuration) return result;
        string[] missing = [.. new[] { files.Authorities, files.Certificate, files.Key }.Where(file => !File.Exists(file))];
        if (missing.Length > 0)
            return result with { Warnings = [.. result.Warnings, .. missing.Select(file => new Mistake(file, 0, 0, "", "does not exist here: the daemon will not start without it, because api.tcp is set. Make it with mbr ca issue."))] };
        try
        {
            TlsIdentity.Load(files);
            return result;
        }
        catch (TlsFileException unusable)
        {
            return result with { Mistakes = [.. result.Mistakes, new Mistake(configuration.File, 0, 0, "api.tls", unusable.Message)], Configuration = null };
        }
    }
}
