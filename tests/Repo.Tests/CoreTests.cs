using System.Text.RegularExpressions;
using Xunit;

namespace Membership.Repo.Tests;

/// <summary>A core is a deterministic state machine. The analyzer bans calls; these tests ban what it cannot see.</summary>
public partial class CoreTests
{
    private static readonly string[] Cores = ["Links", "Totem", "Quorum", "Cpg", "Replication", "Dlm", "Failover", "Node"];

    public static TheoryData<string> CoreFiles => [.. Cores.SelectMany(core => Repository.Files($"src/{core}", ".cs"))];

    [Theory]
    [MemberData(nameof(CoreFiles))]
    public void A_core_has_no_clock_thread_task_lock_file_socket_or_hidden_randomness(string path)
    {
        var code = CSharpText.CodeOnly(Repository.Read(path));

        Assert.Empty(Banned().Matches(code).Select(found => $"{path}:{LineOf(code, found.Index)}: {found.Value}"));
    }

    [Theory]
    [InlineData("x = await y;")]
    [InlineData("lock (_gate) { }")]
    [InlineData("var now = DateTime.UtcNow;")]
    [InlineData("Task.Delay(1)")]
    [InlineData("new Random()")]
    public void The_ban_sees_what_it_is_for(string code) => Assert.Matches(Banned(), CSharpText.CodeOnly(code));

    [Theory]
    [InlineData("// await, lock (x), DateTime")]
    [InlineData("var text = \"lock (x) await \\\" Task.\";")]
    [InlineData("var text = @\"a \"\" await b\"; block (x); new Random(seed);")]
    public void The_ban_does_not_see_comments_and_text(string code) => Assert.DoesNotMatch(Banned(), CSharpText.CodeOnly(code));

    private static int LineOf(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;

    [GeneratedRegex(@"\b(async|await)\b|\block\s*\(|\b(Task|ValueTask|Thread|Monitor|Interlocked|Stopwatch|DateTime|DateTimeOffset|TimeProvider|ILogger|Console)\b" +
                    @"|\bEnvironment\.|\bRandom\.Shared\b|\bnew Random\(\s*\)|\bGuid\.NewGuid\b|\b(File|Directory|Socket)\.|\bvolatile\b")]
    private static partial Regex Banned();
}
