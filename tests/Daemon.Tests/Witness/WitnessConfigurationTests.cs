using System.Text;
using Membership.Daemon.Configuration;
using Membership.Daemon.Witness.Server;
using Membership.Quorum;

namespace Membership.Daemon.Tests.Witness;

/// <summary>witness.yaml: what it may say, and that every mistake is told at once with its place.</summary>
public class WitnessConfigurationTests
{
    [Fact]
    public void A_whole_file_is_read()
    {
        var mistakes = new MistakeList("/etc/membership/witness.yaml");
        var read = Read(
            """
            listen: "0.0.0.0:5403"
            tls: { ca: ca.pem, certificate: witness.pem, key: /keys/witness.key }
            clusters:
              - { name: web, algorithm: ffsplit }
              - { name: db }
            """, mistakes);

        Assert.Empty(mistakes.Mistakes);
        Assert.Equal("0.0.0.0:5403", read?.Listen.ToString());
        Assert.Equal(("/etc/membership/ca.pem", "/keys/witness.key"), (read?.Tls.Authorities, read?.Tls.Key));
        Assert.Null(read?.WhyNot("db", WitnessAlgorithm.LastManStanding));
        Assert.Null(read?.WhyNot("web", WitnessAlgorithm.FiftyFiftySplit));
        Assert.NotNull(read?.WhyNot("web", WitnessAlgorithm.LastManStanding));
        Assert.NotNull(read?.WhyNot("mail", WitnessAlgorithm.FiftyFiftySplit));
    }

    [Fact]
    public void Any_serves_every_cluster()
    {
        var read = Read("listen: \"[::]:5403\"\ntls: { ca: a, certificate: b, key: c }\nclusters: any\n", new MistakeList("witness.yaml"));

        Assert.Null(read?.WhyNot("whatever", WitnessAlgorithm.LastManStanding));
    }

    [Fact]
    public void All_mistakes_are_told_at_once_with_line_and_column()
    {
        var mistakes = new MistakeList("witness.yaml");
        var read = Read("listen: somewhere\ntls: { ca: ca.pem, certificat: x.pem, key: \"\" }\nclusters:\n  - { name: \"a b\", algorithm: fsplit }\n  - { name: web }\n  - { name: web }\ncolour: red\n", mistakes);

        Assert.Null(read);
        string[] told = [.. mistakes.Mistakes.Select(mistake => mistake.ToString())];
        Assert.Contains(told, line => line.StartsWith("witness.yaml:1:9: listen is somewhere", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains("witness.yaml:2:20: tls.certificat is not a known key. Did you mean certificate?", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains("tls.certificate is missing", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains("tls.key is \"\"", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains(":4:13: clusters[0].name is \"a b\"", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains("Did you mean ffsplit?", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains(":6:13: clusters[2].name is web, which is in the list twice", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains(":7:1: colour is not a known key", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("- a")]
    [InlineData("listen: \"0.0.0.0:1\"\ntls: 7\nclusters: some")]
    [InlineData("listen: \"0.0.0.0:1\"\ntls: { ca: a, certificate: b, key: c }\nclusters: []")]
    public void What_is_no_configuration_is_refused(string text)
    {
        var mistakes = new MistakeList("witness.yaml");

        Assert.Null(Read(text, mistakes));
        Assert.NotEmpty(mistakes.Mistakes);
    }

    [Fact]
    public void The_command_line_of_a_witness_has_files_of_its_own_and_nothing_of_a_node()
    {
        var line = CommandLine.Parse(["--witness"]);

        Assert.Equal(("/etc/membership/witness.yaml", "/var/lib/membership-witness"), (line.ConfigFile, line.StateDirectory));
        Assert.Equal("x.yaml", CommandLine.Parse(["--witness", "--config", "x.yaml"]).ConfigFile);
        Assert.Equal("y", CommandLine.Parse(["--state-dir=y", "--witness"]).StateDirectory);
        Assert.Contains("--node", Assert.Throws<StartException>(() => CommandLine.Parse(["--witness", "--node", "n1"])).Message, StringComparison.Ordinal);
    }

    private static WitnessServerConfiguration? Read(string text, MistakeList mistakes) => WitnessServerConfiguration.Read(mistakes.File, Encoding.UTF8.GetBytes(text), mistakes);
}
