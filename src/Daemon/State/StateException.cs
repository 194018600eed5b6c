namespace Membership.Daemon.State;

/// <summary>The state directory cannot be used; the daemon prints the message and exits with the code.</summary>
internal sealed class StateException(int exitCode, string message) : Exception(message)
{
    /// <summary>65: locked by another daemon, or its content is unreadable; 74: input or output failed.</summary>
    public int ExitCode { get; } = exitCode;
}
