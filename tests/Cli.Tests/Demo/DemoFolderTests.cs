using Membership.Cli.Demo;

namespace Membership.Cli.Tests.Demo;

public class DemoFolderTests
{
    private static readonly DemoAddresses Addresses = new(20_000);

    [Fact]
    public void The_folder_and_the_key_are_for_this_user_only_and_go_away_with_it()
    {
        string path;
        using (var folder = DemoFolder.Create(5, Addresses, keep: false))
        {
            path = folder.Path;

            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(path, "demo.key")));
        }

        Assert.False(Directory.Exists(path));
    }

    [Fact]
    public void What_a_killed_demo_left_is_removed_by_the_next_one_and_what_was_kept_is_not()
    {
        var leftOver = Path.Combine(Path.GetTempPath(), $"membership-demo.{int.MaxValue}.test{Environment.ProcessId}");
        var kept = leftOver + "kept";
        Directory.CreateDirectory(leftOver);
        Directory.CreateDirectory(kept);
        File.WriteAllText(Path.Combine(kept, "keep"), "");

        try
        {
            using var folder = DemoFolder.Create(1, Addresses, keep: false);

            Assert.False(Directory.Exists(leftOver));
            Assert.True(Directory.Exists(kept));
        }
        finally
        {
            Directory.Delete(kept, recursive: true);
        }
    }

    [Fact]
    public void Socket_paths_fit_into_a_socket_address()
    {
        using var folder = DemoFolder.Create(9, Addresses, keep: false);

        Assert.True(System.Text.Encoding.UTF8.GetByteCount(folder.Socket(9)) <= 107);
    }
}
