using System.Buffers.Text;
using System.Diagnostics;
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
        Span<byte> secret = stackalloc byte[SecretBytes];
        var line = 0;
        foreach (var range in bytes.Split((byte)'\n'))
        {
            line++;
            var text = bytes[range];
            var comment = text.IndexOf((byte)'#');
            if (comment >= 0) text = text[..comment];
            text = text.Trim(" \t\r"u8);
            if (text.IsEmpty) continue;
            var wrong = ParseLine(text, out var number, secret);
            if (wrong is WrongLine.None) wrong = IsKnown(keys, (byte)number, secret);
            if (wrong is WrongLine.None) keys.Add(new ClusterKey((byte)number, IsActive(text), secret.ToArray()));
            else mistakes.Add(line, (wrong, number), static what => Sentence(what.wrong, what.number));
        }
        CryptographicOperations.ZeroMemory(secret);
        if (!mistakes.IsEmpty) return [];
        var active = keys.Count(k => k.Active);
        if (active != 1)
            mistakes.Add(new Mistake(path, 0, 0, "", $"the key file has {active} active keys, not exactly one: {string.Join(", ", keys.Where(k => k.Active).Select(k => k.Id))}. Mark one key active, the others accepted."
                .Replace(": .", ".", StringComparison.Ordinal)));
        return mistakes.IsEmpty ? keys : [];
    }

    // Allocates nothing: a file of nonsense has a line in two bytes. The number is the key's id, or how many words there are where that is wrong.
    private static WrongLine ParseLine(ReadOnlySpan<byte> text, out int number, Span<byte> secret)
    {
        Span<Range> words = stackalloc Range[4];
        number = SplitWords(text, words);
        if (number != 3) return WrongLine.Words;
        if (!Utf8Parser.TryParse(text[words[0]], out byte id, out var used) || used != text[words[0]].Length || id == 0) return WrongLine.Id;
        number = id;
        if (!text[words[1]].SequenceEqual("active"u8) && !text[words[1]].SequenceEqual("accepted"u8)) return WrongLine.State;
        var status = Base64.DecodeFromUtf8(text[words[2]], secret, out var consumed, out var written);
        if (status != System.Buffers.OperationStatus.Done || consumed != text[words[2]].Length || written != SecretBytes) return WrongLine.Secret;
        return IsWeak(secret) ? WrongLine.Weak : WrongLine.None;
    }

    // Of a line that ParseLine has found right.
    private static bool IsActive(ReadOnlySpan<byte> text)
    {
        Span<Range> words = stackalloc Range[4];
        SplitWords(text, words);
        return text[words[1]].SequenceEqual("active"u8);
    }

    private static WrongLine IsKnown(List<ClusterKey> keys, byte id, ReadOnlySpan<byte> secret)
    {
        var result = WrongLine.None;
        foreach (var key in keys)
        {
            if (key.Id == id) return WrongLine.IdTwice;
            if (CryptographicOperations.FixedTimeEquals(key.Secret, secret)) result = WrongLine.SecretTwice;
        }
        return result;
    }

    private static string Sentence(WrongLine wrong, int number) => wrong switch
    {
        WrongLine.Words => $"the line has {number} words, {LineForm}. Write three words.",
        WrongLine.Id => $"the first word is not a key id from 1 to {KeysMax}. Begin the line with the key's number.",
        WrongLine.State => $"the second word of key {number} is neither active nor accepted. Write one of them.",
        WrongLine.Secret => $"the secret of key {number} is not base64 of {SecretBytes} bytes (44 characters). Draw one: head -c {SecretBytes} /dev/urandom | base64",
        WrongLine.Weak => $"the secret of key {number} is not random. Draw one: head -c {SecretBytes} /dev/urandom | base64",
        WrongLine.IdTwice => $"key id {number} is there twice. Give each key its own id.",
        WrongLine.SecretTwice => $"key {number} has the secret of another key. Draw a new one: head -c {SecretBytes} /dev/urandom | base64",
        _ => throw new UnreachableException($"a line is wrong by {wrong}"),
    };

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

    /// <summary>Why a line is no key of this file.</summary>
    private enum WrongLine
    {
        None,
        Words,
        Id,
        State,
        Secret,
        Weak,
        IdTwice,
        SecretTwice,
    }
}
