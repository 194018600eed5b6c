namespace Membership.Grpc.Tls;

/// <summary>The identity in three files, read again when one of them changed: certificates rotate without a restart.</summary>
/// <remarks>Files that cannot be used change nothing: the identity before them stays, and the failure is told once per change. Safe for several threads.</remarks>
public sealed class TlsCredentials
{
    private readonly Lock _gate = new();
    private readonly TlsFiles _files;
    private FileStamp[] _stamps;
    private TlsIdentity _current;

    private TlsCredentials(TlsFiles files, FileStamp[] stamps, TlsIdentity identity)
    {
        (_files, _stamps, _current) = (files, stamps, identity);
    }

    /// <summary>Told of each new identity.</summary>
    public event Action<TlsIdentity>? Changed;

    /// <summary>Told when changed files cannot be used.</summary>
    public event Action<TlsFileException>? Refused;

    /// <summary>What was read last and could be used.</summary>
    public TlsIdentity Current
    {
        get
        {
            lock (_gate) return _current;
        }
    }

    /// <summary>Reads the files for the first time.</summary>
    /// <exception cref="TlsFileException">One of them cannot be used.</exception>
    public static TlsCredentials Load(TlsFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var stamps = StampsOf(files);   // before reading: what changes meanwhile is read again
        return new TlsCredentials(files, stamps, TlsIdentity.Load(files));
    }

    /// <summary>Reads the files again if one of them changed since; costs three looks at the file system.</summary>
    public TlsIdentity Refresh()
    {
        TlsIdentity? changed = null;
        TlsFileException? refused = null;
        TlsIdentity current;
        lock (_gate)
        {
            var stamps = StampsOf(_files);
            if (!stamps.AsSpan().SequenceEqual(_stamps))
            {
                _stamps = stamps;
                try
                {
                    changed = _current = TlsIdentity.Load(_files);
                }
                catch (TlsFileException unusable)
                {
                    refused = unusable;
                }
            }
            current = _current;
        }
        if (changed is not null) Changed?.Invoke(changed);
        if (refused is not null) Refused?.Invoke(refused);
        return current;
    }

    private static FileStamp[] StampsOf(TlsFiles files) => [.. files.All.Select(FileStamp.Of)];

    private readonly record struct FileStamp(long Length, DateTime Written)
    {
        public static FileStamp Of(string path) => new FileInfo(path) is { Exists: true } file ? new(file.Length, file.LastWriteTimeUtc) : default;
    }
}
