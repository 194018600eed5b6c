using System.Text.RegularExpressions;
using Grpc.Core;
using Membership.Daemon.Telemetry;
using Membership.Links;

namespace Membership.Daemon.Tests.Telemetry;

public sealed partial class WordsTests
{
    [Fact]
    public void Each_status_has_its_word_and_a_made_up_one_is_unknown()
    {
        Assert.All(Enum.GetValues<StatusCode>(), status => Assert.Equal(status == StatusCode.OK ? "OK" : WordStart().Replace(status.ToString(), "_$0").ToUpperInvariant(), Words.Of(status)));
        Assert.Equal(("UNKNOWN", "UNKNOWN"), (Words.Of((StatusCode)17), Words.Of((StatusCode)(-1))));
    }

    [Fact]
    public void Each_reason_to_drop_has_a_word_of_its_own()
    {
        Assert.Equal(Enum.GetValues<DropReason>(), Words.DropReasons.Select(drop => drop.Reason));
        Assert.Equal(Words.DropReasons.Count, Words.DropReasons.Select(drop => drop.Name).Distinct().Count());
        Assert.Contains(("bad_tag", DropReason.BadTag), Words.DropReasons);
    }

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex WordStart();
}
