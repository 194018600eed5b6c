using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Tests.Access;

/// <summary>Keeps every line that is logged.</summary>
internal sealed class RecordingLog : ILogger
{
    private readonly ConcurrentQueue<(int Id, string Text)> _lines = new();

    private readonly ConcurrentDictionary<int, TaskCompletionSource<string>> _first = new();

    /// <summary>Ends with the first line of this event.</summary>
    public Task<string> FirstOf(int id) => Awaited(id).Task;

    public IReadOnlyList<string> Of(int id) => [.. _lines.Where(line => line.Id == id).Select(line => line.Text)];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var text = formatter(state, exception);
        _lines.Enqueue((eventId.Id, text));
        Awaited(eventId.Id).TrySetResult(text);
    }

    private TaskCompletionSource<string> Awaited(int id) => _first.GetOrAdd(id, static _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
}
