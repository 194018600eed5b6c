using System.Buffers.Binary;
using Membership.Fuzz.Engine;
using Membership.Links;

namespace Membership.Fuzz.Targets;

/// <summary>Whatever comes from the network, before anything is known of it: header, then the seal (AES-256-GCM). First byte: whose address it came from.</summary>
internal sealed class DatagramTarget : Target, IDisposable
{
    private static readonly DropReason[] Drops =
    [
        DropReason.TooShort, DropReason.BadLength, DropReason.UnknownVersion, DropReason.UnknownSource, DropReason.UnknownSender, DropReason.UnknownKey,
        DropReason.StaleSession, DropReason.BadTag, DropReason.Replay, DropReason.WrongTarget,
    ];

    private readonly List<byte[]> _recorded = [];
    private readonly long[] _before = new long[Drops.Length];
    private readonly Cluster _cluster;

    public DatagramTarget()
    {
        _cluster = new Cluster(3, isSealedForReal: true) { Recording = _recorded };
        _cluster.Form();
        _cluster.Recording = null;
    }

    public override string Name => "links/datagram";

    public override IReadOnlyList<string> Reasons { get; } = [.. Drops.Select(drop => drop.ToString()), "opened, known from before"];

    public override int LengthMax => 2048;

    public override IEnumerable<Seed> Seeds()
    {
        var kinds = _recorded.GroupBy(bytes => (bytes[1], bytes.Length)).Select(same => same.Last()).Take(12).ToList();
        foreach (var (bytes, index) in kinds.Select((bytes, index) => (bytes, index))) yield return new Seed($"recorded-{index}", [bytes[4], .. bytes]);
        var one = kinds[^1];
        yield return new Seed("foreign-address", [0, .. one]);
        yield return new Seed("another-boot", [one[4], .. With(one, 16, 99)]);
        yield return new Seed("another-link", [one[4], .. With(one, 3, 1)]);
        yield return new Seed("unknown-key", [one[4], .. With(one, 2, 9)]);
        yield return new Seed("unknown-sender", [one[4], .. With(one, 4, 77)]);
        yield return new Seed("far-ahead", [one[4], .. With(one, 12, 1)]);
        yield return new Seed("longest", [one[4], .. one, .. new byte[1900 - one.Length]]);
        yield return new Seed("nothing", [2]);
    }

    /// <summary>The length field is right more often than chance would have it, and the counter new.</summary>
    public override void Repair(Span<byte> input)
    {
        if (input.Length > 9) BinaryPrimitives.WriteUInt16LittleEndian(input[7..], (ushort)(input.Length - 1));
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return 0;
        var node = _cluster.Nodes[0];
        for (var i = 0; i < Drops.Length; i++) _before[i] = node.Core.Links.Dropped(Drops[i]);
        NodeId? source = input[0] == 0 ? null : new NodeId(input[0]);
        node.Core.OnDatagram(_cluster.Now, Cluster.A, source, input[1..], node);
        for (var i = 0; i < Drops.Length; i++)
        {
            if (node.Core.Links.Dropped(Drops[i]) != _before[i]) return i;
        }

        return Drops.Length;
    }

    public void Dispose() => _cluster.Dispose();

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        var changed = (byte[])bytes.Clone();
        changed[at] = value;
        return changed;
    }
}

/// <summary>A body behind the handshake's seal, from somebody with the key.</summary>
internal sealed class HandshakeTarget : Target, IDisposable
{
    private const int Answered = 0, Malformed = 1, WrongTarget = 2, Unexpected = 3, Configuration = 4, Version = 5;

    private readonly Cluster _cluster = new Cluster(2, isSealedForReal: false).Form();
    private readonly Forger _forger;
    private readonly NoLinks _sink = new();
    private Instant _now;

    public HandshakeTarget() => (_forger, _now) = (new Forger(_cluster), _cluster.Now);

    public override string Name => "links/handshake";

    public override IReadOnlyList<string> Reasons { get; } = ["taken", "Malformed", "WrongTarget", "UnexpectedHandshake", "ConfigurationDiffers", "UnknownVersion"];

    public override int LengthMax => 256;

    // Whoever proved itself anew gets a session with keys of its own; the rest fits the promise.
    public override long AllocationMax(int length) => (4 * length) + 1024;

    public override IEnumerable<Seed> Seeds()
    {
        yield return new Seed("hello", Body(HandshakeKind.Hello, 1, 42, 1));
        yield return new Seed("challenge", Body(HandshakeKind.Challenge, 1, 42, 1));
        yield return new Seed("response", Body(HandshakeKind.Response, 1, 42, 1));
        yield return new Seed("another-configuration", Body(HandshakeKind.Challenge, 1, 43, 1));
        yield return new Seed("another-version", Body(HandshakeKind.Challenge, 1, 42, 9));
        yield return new Seed("for-another-node", Body(HandshakeKind.Hello, 3, 42, 1));
    }

    public override int Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return Malformed;
        var links = _cluster.Nodes[0].Core.Links;
        var before = (links.Dropped(DropReason.Malformed), links.Dropped(DropReason.WrongTarget), links.Dropped(DropReason.UnexpectedHandshake), links.Dropped(DropReason.ConfigurationDiffers), links.Dropped(DropReason.UnknownVersion));


        // Twenty hellos a second are answered: time goes on between two messages.
        _now += TimeSpan.FromMilliseconds(5);
        links.OnDatagram(_now, Cluster.A, new NodeId(2), _forger.Seal(input, isHandshake: true), _sink);
        if (links.Dropped(DropReason.Malformed) != before.Item1) return Malformed;
        if (links.Dropped(DropReason.WrongTarget) != before.Item2) return WrongTarget;
        if (links.Dropped(DropReason.UnexpectedHandshake) != before.Item3) return Unexpected;
        if (links.Dropped(DropReason.ConfigurationDiffers) != before.Item4) return Configuration;
        return links.Dropped(DropReason.UnknownVersion) != before.Item5 ? Version : Answered;
    }

    public void Dispose()
    {
        _forger.Dispose();
        _cluster.Dispose();
    }

    private byte[] Body(HandshakeKind kind, ushort target, ulong digest, byte version)
    {
        var body = new byte[HandshakeBody.Bytes];
        var boot = kind == HandshakeKind.Hello ? 0 : _cluster.Nodes[0].Boot.Short;
        new HandshakeBody(
            kind, new BodyTarget(new NodeId(target), boot, Cluster.A), version, version, SealAlgorithm.AesGcm, _cluster.Nodes[1].Boot, digest,
            new ChallengeBits(1, 2), kind == HandshakeKind.Hello ? default : new ChallengeBits(3, 4)).Write(body, "0.1.0"u8);
        return body;
    }
}

