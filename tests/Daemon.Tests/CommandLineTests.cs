using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Membership.Daemon.Tests;

public sealed class CommandLineTests
{
    [Fact]
    public void Options_take_their_value_behind_a_space_or_an_equals_sign()
    {
        var line = CommandLine.Parse(["--config", "/a", "--node=n1", "--log-level", "debug", "--log-format=json", "--allow-fault-injection"]);

        Assert.Equal(("/a", "n1", LogLevel.Debug, LogFormat.Json, true), (line.ConfigFile, line.Node, line.LogLevel, line.LogFormat, line.AllowFaultInjection));
        Assert.Equal(CommandLine.DefaultStateDirectory, line.StateDirectory);
    }

    [Theory]
    [InlineData("--check-config", CommandLine.DefaultConfig)]
    [InlineData("--check-config /x", "/x")]
    [InlineData("--check-config=/x --json", "/x")]
    [InlineData("--config /x --check-config", "/x")]
    [InlineData("--check-config --effective --config /x", "/x")]
    public void Check_config_takes_its_file_with_or_without_config(string arguments, string file)
    {
        var line = CommandLine.Parse(arguments.Split(' '));

        Assert.True(line.CheckConfig);
        Assert.Equal(file, line.ConfigFile);
    }

    [Theory]
    [InlineData("--confg /x", "did you mean --config?")]
    [InlineData("--config", "--config needs a value")]
    [InlineData("--config --node", "--config needs a value")]
    [InlineData("--node a --node b", "is there twice")]
    [InlineData("--log-level loud", "not error, warning, information, debug or trace")]
    [InlineData("--version=1", "takes no value")]
    [InlineData("--page here", "not an address and port")]
    [InlineData("--effective", "is for --check-config only")]
    [InlineData("stray", "is not an option")]
    public void A_wrong_command_line_ends_with_code_64_and_what_would_be_right(string arguments, string expected)
    {
        var refused = Assert.Throws<StartException>(() => CommandLine.Parse(arguments.Split(' ')));

        Assert.Equal(ExitCode.Usage, refused.ExitCode);
        Assert.Contains(expected, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_service_manager_is_told_on_a_path_or_an_abstract_name(bool isAbstract)
    {
        var name = Path.Combine(Path.GetTempPath(), $"notify-{Guid.NewGuid():N}");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(isAbstract ? "\0" + name : name));
        listener.ReceiveTimeout = 10_000;
        var manager = new ServiceManager(isAbstract ? "@" + name : name, "10000000", (state, why) => Assert.Fail($"{state}: {why}"));

        manager.Ready("good");
        manager.Stopping();

        var buffer = new byte[200];
        Assert.Equal("READY=1\nSTATUS=good", Encoding.UTF8.GetString(buffer, 0, listener.Receive(buffer)));
        Assert.StartsWith("STOPPING=1", Encoding.UTF8.GetString(buffer, 0, listener.Receive(buffer)), StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(5), manager.WatchdogPace);
        File.Delete(name);
    }

    [Fact]
    public void Without_a_service_manager_nothing_is_sent() => new ServiceManager(null, "1000", (_, _) => Assert.Fail("sent")).Ready("x");
}
