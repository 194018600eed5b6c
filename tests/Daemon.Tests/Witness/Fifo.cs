using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Membership.Daemon.Tests.Witness;

/// <summary>A pipe with a name, to wait for other processes without a clock: opening it waits for the other side, and its end is seen once every process that inherited it is gone.</summary>
internal sealed partial class Fifo
{
    /// <summary>A process that has not got there by then is not going to.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public Fifo(string path)
    {
        Path = path;
        if (Make(path, 0b110_000_000) != 0) throw new Win32Exception();
    }

    public string Path { get; }

    /// <summary>Opens it for reading once somebody has opened it for writing.</summary>
    public Task<StreamReader> ReadAsync() => OpenAsync(() => new StreamReader(Path));

    /// <summary>Opens it for writing once somebody has opened it for reading.</summary>
    public Task<StreamWriter> WriteAsync() => OpenAsync(() => new StreamWriter(new FileStream(Path, FileMode.Open, FileAccess.Write)));

    // On a thread of its own, which stands still until then.
    private static Task<T> OpenAsync<T>(Func<T> open) => Task.Factory.StartNew(open, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(Patience);

    [LibraryImport("libc", EntryPoint = "mkfifo", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Make(string path, uint mode);
}
