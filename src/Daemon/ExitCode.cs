namespace Membership.Daemon;

/// <summary>How the daemon ends; scripts and service managers depend on the numbers.</summary>
internal static class ExitCode
{
    public const int Ok = 0;

    /// <summary>A wrong command line.</summary>
    public const int Usage = 64;

    /// <summary>The state directory is in use, belongs to another node or cannot be understood.</summary>
    public const int BadState = 65;

    /// <summary>Our mistake: a broken invariant.</summary>
    public const int Internal = 70;

    /// <summary>A file, socket or address cannot be used.</summary>
    public const int InputOutput = 74;

    /// <summary>The configuration or key file is wrong.</summary>
    public const int Configuration = 78;
}

/// <summary>The daemon cannot start; the message is for the operator and names the remedy.</summary>
internal sealed class StartException(int exitCode, string message) : Exception(message)
{
    /// <summary>One of <see cref="Daemon.ExitCode"/>.</summary>
    public int ExitCode { get; } = exitCode;
}
