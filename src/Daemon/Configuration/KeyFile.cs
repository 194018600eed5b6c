using System.Buffers.Text;
using System.Security.Cryptography;
using Membership.Links;

namespace Membership.Daemon.Configuration;

/// <summary>The cluster's keys: one a line, <c>id active|accepted base64(32 bytes)</c>; <c>#</c> begins a comment.</summary>
/// <remarks>Messages name line and key id, never a character of a secret.</remarks>
internal static class KeyFile
{
    /// <summary>A longer file is refused.</summary>
    public const int FileBytesMax = 64 * 1024;

    /// <summary>Key ids are one byte on the wire, 0 is none.</summary>
    public const int KeysMax = 255;

    private const int SecretBytes = 32;
    private const string LineForm = "not \"id active|accepted base64\"";

    /// <summary>Checks owner and mode, reads and checks the keys.</summary>
    /// <returns>The keys, or none after mistakes; every mistake ends with its remedy.</returns>
    public static IReadOnlyList<ClusterKey> Read(string path, MistakeList mistakes)
    {
        byte[] bytes;
        try
        {
            if (FileOwner.WhyUnsafe(path) is { } why)
            {
                mistakes.Add(new Mistake(path, 0, 0, "", why));
                return [];
            }
            using var stream = File.OpenRead(path);
            bytes = new byte[FileBytesMax + 1];
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > FileBytesMax)
            {
                mistakes.Add(new Mistake(path, 0, 0, "", $"the key file has more than {FileBytesMax} bytes. Is it a key file?"));
                return [];
            }
            bytes = bytes[..length];
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            mistakes.Add(new Mistake(path, 0, 0, "", $"the key file does not exist. Copy it from another node, or make the cluster's first key:\n" +
                $"  (umask 077; echo \"1 active $(head -c {SecretBytes} /dev/urandom | base64)\" > {path})"));
            return [];
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            mistakes.Add(new Mistake(path, 0, 0, "", $"the key file cannot be read: {failed.Message} Let the daemon's user own it: chown {Environment.UserName} {path}"));
            return [];
        }
        var keys = Parse(path, bytes, mistakes);
        CryptographicOperations.ZeroMemory(bytes);
        return mistakes.IsEmpty ? keys : [];
    }

    /// <summary>The keys of a file's bytes.</summary>
    public static IReadOnlyList<ClusterKey> Parse(string path, ReadOnlySpan<byte> bytes, MistakeList mistakes)
    {
        List<ClusterKey> keys = [];
        var line = 0;
        foreach (var range in bytes.Split((byte)'\n'))
        {
            line++;
            var text = bytes[range];
            var comment = text.IndexOf((byte)'#');
            if (comment >= 0) text = text[..comment];
            text = text.Trim(" \t\r"u8);
            if (text.IsEmpty) continue;
            if (mistakes.IsFull) break;   // nobody reads a hundred sentences about a file that is no key file
            if (ParseLine(text, out var key) is { } why) mistakes.Add(new Mistake(path, line, 1, "", why));
            else if (keys.Exists(k => k.Id == key.Id)) mistakes.Add(new Mistake(path, line, 1, "", $"key id {key.Id} is there twice. Give each key its own id."));
            else if (keys.Exists(k => CryptographicOperations.FixedTimeEquals(k.Secret, key.Secret)))
                mistakes.Add(new Mistake(path, line, 1, "", $"key {key.Id} has the secret of another key. Draw a new one: head -c {SecretBytes} /dev/urandom | base64"));
            else keys.Add(key);
        }
        if (!mistakes.IsEmpty) return [];
        var active = keys.Count(k => k.Active);
        if (active != 1)
            mistakes.Add(new Mistake(path, 0, 0, "", $"the key file has {active} active keys, not exactly one: {string.Join(", ", keys.Where(k => k.Active).Select(k => k.Id))}. Mark one key active, the others accepted."
                .Replace(": .", ".", StringComparison.Ordinal)));
        return mistakes.IsEmpty ? keys : [];
    }

    // Null when the line is a key; otherwise what is wrong with it.
    private static string? ParseLine(ReadOnlySpan<byte> text, out ClusterKey key)
    {
        key = new ClusterKey(0, false, []);
        Span<Range> words = stackalloc Range[4];
        var count = SplitWords(text, words);
        if (count != 3) return $"the line has {count} words, {LineForm}. Write three words.";
        if (!Utf8Parser.TryParse(text[words[0]], out byte id, out var used) || used != text[words[0]].Length || id == 0)
            return $"the first word is not a key id from 1 to {KeysMax}. Begin the line with the key's number.";
        var state = text[words[1]];
        var active = state.SequenceEqual("active"u8);
        if (!active && !state.SequenceEqual("accepted"u8)) return $"the second word of key {id} is neither active nor accepted. Write one of them.";
        var secret = new byte[SecretBytes];
        var status = Base64.DecodeFromUtf8(text[words[2]], secret, out var consumed, out var written);
        if (status != System.Buffers.OperationStatus.Done || consumed != text[words[2]].Length || written != SecretBytes)
            return $"the secret of key {id} is not base64 of {SecretBytes} bytes (44 characters). Draw one: head -c {SecretBytes} /dev/urandom | base64";
        if (IsWeak(secret)) return $"the secret of key {id} is not random. Draw one: head -c {SecretBytes} /dev/urandom | base64";
        key = new ClusterKey(id, active, secret);
        return null;
    }

    private static int SplitWords(ReadOnlySpan<byte> text, Span<Range> words)
    {
        var (count, at) = (0, 0);
        while (at < text.Length && count < words.Length)
        {
            var end = text[at..].IndexOfAny((byte)' ', (byte)'\t');
            var stop = end < 0 ? text.Length : at + end;
            if (stop > at) words[count++] = at..stop;
            at = stop + 1;
        }
        return count;
    }

    /// <summary>Secrets nobody drew: one byte repeated, counting bytes, or printable text only.</summary>
    private static bool IsWeak(ReadOnlySpan<byte> secret)
    {
        var step = (byte)(secret[1] - secret[0]);
        var even = true;
        for (var i = 2; i < secret.Length; i++) even &= (byte)(secret[i] - secret[i - 1]) == step;
        return even || !secret.ContainsAnyExceptInRange((byte)' ', (byte)'~');
    }
}
