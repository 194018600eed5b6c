using System.CommandLine;
using Membership.Cli.Commands;
using Membership.Cli.Errors;

namespace Membership.Cli.Ring;

/// <summary>The options of <c>ring send</c> and <c>group send</c>: made payloads, or standard input.</summary>
internal sealed class SendOptions
{
    private readonly Option<long?> _count = new("--count") { Description = "Send that many made payloads (default 1).", HelpName = "N" };
    private readonly Option<string?> _size = new("--size") { Description = "Size of each made payload (default 64).", HelpName = "SIZE" };
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Seed of the made payloads (default 1).", HelpName = "N" };
    private readonly Option<double> _rate = new("--rate") { Description = "Messages a second (0: as fast as possible).", HelpName = "N" };
    private readonly Option<string> _level = RingCommands.Level();

    private SendOptions()
    {
    }

    /// <summary>Adds the options to a command.</summary>
    public static SendOptions AddTo(Command command)
    {
        var options = new SendOptions();
        foreach (var option in (ReadOnlySpan<Option>)[options._count, options._size, options._seed, options._rate, options._level])
            command.Options.Add(option);
        return options;
    }

    /// <summary>What is to be sent; reads standard input unless payloads are made.</summary>
    public async Task<SendPlan> ReadAsync(CliHost host, ParseResult parse, CancellationToken cancellationToken)
    {
        var isMade = parse.GetValue(_count) is not null || parse.GetValue(_size) is not null || parse.GetValue(_seed) is not null;
        return new SendPlan(
            isMade ? null : await ReadPayloadAsync(host, cancellationToken),
            parse.GetValue(_count) is { } count ? Values.Within(_count.Name, count, 1, long.MaxValue) : 1,
            Values.Size(_size.Name, parse.GetValue(_size) ?? "64", 0, RingCommands.PayloadBytesMax),
            parse.GetValue(_seed) ?? 1,
            Values.Within(parse, _rate, 0, RingCommands.RateMax),
            RingCommands.LevelOf(parse, _level));
    }

    private static async Task<byte[]> ReadPayloadAsync(CliHost host, CancellationToken cancellationToken)
    {
        if (!host.InputIsRedirected)
            throw new CliException(ErrorCatalogue.NoPayload);
        using var payload = new MemoryStream();
        var chunk = new byte[64 * 1024];
        while (await host.Input.ReadAsync(chunk, cancellationToken) is > 0 and var read)
        {
            payload.Write(chunk, 0, read);
            Values.Within("the payload on standard input", (int)Math.Min(payload.Length, int.MaxValue), 0, RingCommands.PayloadBytesMax);
        }
        return payload.ToArray();
    }
}
