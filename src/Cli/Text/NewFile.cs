using System.Text;
using Membership.Cli.Errors;

namespace Membership.Cli.Text;

/// <summary>Writes files that did not exist before: never overwrites, leaves nothing half-written.</summary>
internal static class NewFile
{
    /// <summary>Owner only: secrets.</summary>
    public const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Everybody may read.</summary>
    public const UnixFileMode Public = Secret | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Creates <paramref name="file"/> with the text and mode, on disk when it returns.</summary>
    public static void Write(string file, string text, UnixFileMode mode)
    {
        try
        {
            using var stream = Create(file, mode);
            try
            {
                stream.Write(Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }
            catch (IOException)
            {
                File.Delete(file); // half a key is worse than none
                throw;
            }
        }
        catch (IOException) when (File.Exists(file))
        {
            throw new CliException(ErrorCatalogue.FileExists, ("file", file));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ErrorCatalogue.CannotWrite, error, ("file", file), ("detail", error.Message));
        }
    }

    private static FileStream Create(string file, UnixFileMode mode)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = mode;
        return new FileStream(file, options);
    }
}
