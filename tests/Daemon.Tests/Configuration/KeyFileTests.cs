using System.Security.Cryptography;
using System.Text;
using Membership.Daemon.Configuration;

namespace Membership.Daemon.Tests.Configuration;

public sealed class KeyFileTests
{
    private static readonly string[] Secrets = [.. Enumerable.Range(1, 3).Select(i => Convert.ToBase64String(SHA256.HashData([(byte)i])))];

    [Fact]
    public void Keys_are_read_with_comments_and_blanks_between_them()
    {
        var mistakes = new MistakeList("web.key");

        var keys = KeyFile.Parse("web.key", Encoding.UTF8.GetBytes($"# keys of web\n\n 7  active\t{Secrets[0]}  # the new one\r\n1 accepted {Secrets[1]}\n"), mistakes);

        Assert.True(mistakes.IsEmpty);
        Assert.Equal([(7, true), (1, false)], keys.Select(k => ((int)k.Id, k.Active)));
        Assert.Equal(SHA256.HashData([1]), keys[0].Secret);
    }

    [Theory]
    [InlineData("", "0 active keys, not exactly one")]
    [InlineData("1 accepted @1", "0 active keys, not exactly one")]
    [InlineData("1 active @1\n2 active @2", "2 active keys, not exactly one: 1, 2.")]
    [InlineData("0 active @1", "not a key id from 1 to 255")]
    [InlineData("256 active @1", "not a key id from 1 to 255")]
    [InlineData("1 activ @1", "neither active nor accepted")]
    [InlineData("1 active", "has 2 words")]
    [InlineData("1 active @1 x", "has 4 words")]
    [InlineData("1 active AAAA", "not base64 of 32 bytes")]
    [InlineData("1 active @1\n1 accepted @2", "key id 1 is there twice")]
    [InlineData("1 active @1\n2 accepted @1", "has the secret of another key")]
    [InlineData("1 active AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "is not random")]
    [InlineData("1 active AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "is not random")]
    [InlineData("1 active cGFzc3dvcmRwYXNzd29yZHBhc3N3b3JkcGFzc3dvcmQ=", "is not random")]
    public void A_wrong_key_file_is_refused_and_its_secrets_are_never_shown(string text, string expected)
    {
        var mistakes = new MistakeList("web.key");
        for (var i = 0; i < Secrets.Length; i++) text = text.Replace($"@{i + 1}", Secrets[i], StringComparison.Ordinal);

        var keys = KeyFile.Parse("web.key", Encoding.UTF8.GetBytes(text), mistakes);

        Assert.Empty(keys);
        var told = Assert.Single(mistakes.Mistakes).ToString();
        Assert.Contains(expected, told, StringComparison.Ordinal);
        Assert.All(Secrets, secret => Assert.DoesNotContain(secret[..12], told, StringComparison.Ordinal));
    }

    [Fact]
    public void Mistakes_beyond_the_hundredth_are_counted_and_their_number_is_told()
    {
        var mistakes = new MistakeList("web.key");

        KeyFile.Parse("web.key", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("x\n", 150))), mistakes);

        Assert.Equal(101, mistakes.Mistakes.Count);
        Assert.StartsWith("50 more mistakes are not listed", mistakes.Mistakes[^1].Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("600", null)]
    [InlineData("400", null)]
    [InlineData("640", "mode 0640, so that others than its owner may use it. Run: chmod 0600 ")]
    [InlineData("604", "mode 0604")]
    [InlineData("660", "mode 0660")]
    public void A_key_file_that_others_may_read_is_refused_with_the_command_that_helps(string mode, string? expected)
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("keys").FullName, "web.key");
        File.WriteAllText(path, $"1 active {Secrets[0]}\n");
        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(mode, 8));
        var mistakes = new MistakeList(path);

        var keys = KeyFile.Read(path, mistakes);

        if (expected is null) Assert.Single(keys);
        else Assert.Contains(expected, Assert.Single(mistakes.Mistakes).Text, StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(path)!, true);
    }

    [Fact]
    public void A_missing_key_file_is_answered_with_the_command_that_makes_one()
    {
        var mistakes = new MistakeList("/nowhere/web.key");

        KeyFile.Read("/nowhere/web.key", mistakes);

        Assert.Contains("umask 077", Assert.Single(mistakes.Mistakes).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_owner_of_a_file_is_found()
    {
        var path = Path.GetTempFileName();
        Assert.Equal(FileOwner.EffectiveUser, FileOwner.OwnerOf(path));
        File.Delete(path);
    }
}
