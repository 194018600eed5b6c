using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Membership.Links;

/// <content>Three steps each way: nobody's boot is accepted before that boot returned our own fresh challenge.</content>
public sealed partial class LinkLayer
{
    /// <summary>Hellos of one peer answered per second and link; a flood of recordings gets no more.</summary>
    private const int AnswersPerSecondMax = 20;

    /// <summary>An unanswered challenge is replaced after this (or four hellos, if that is longer).</summary>
    private static readonly TimeSpan ChallengeLife = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan IncompatibleEvery = TimeSpan.FromMinutes(1);

    private ulong _drawn;

    private void OnHandshake(Instant now, Peer peer, PeerLink link, in WireHeader header, ReadOnlySpan<byte> body, ILinkEffects effects)
    {
        if (!HandshakeBody.TryRead(body, out var message) || message.Boot.Short != header.BootShort) { Drop(DropReason.Malformed); return; }
        if (message.Target.Node != _options.Self || message.Target.Link != link.Id) { Drop(DropReason.WrongTarget); return; }
        if (message.Kind != HandshakeKind.Hello && message.Target.BootShort != _boot.Short) { Drop(DropReason.WrongTarget); return; }
        if (message.Boot == _boot) { Drop(DropReason.UnexpectedHandshake); return; }
        if (message.Kind == HandshakeKind.Hello)
        {
            if (!MayAnswer(now, link)) { Drop(DropReason.UnexpectedHandshake); return; }
            SendHandshake(now, peer, link, HandshakeKind.Challenge, message.Boot.Short, message.Challenge, effects);
        }
        if (!IsCompatible(now, peer, message, body, effects)) return;
        if (message.Kind != HandshakeKind.Hello) OnAnswer(now, peer, link, message, body, effects);
    }

    private void OnAnswer(Instant now, Peer peer, PeerLink link, in HandshakeBody message, ReadOnlySpan<byte> body, ILinkEffects effects)
    {
        if (peer.Session is { } present && present.Boot == message.Boot && message.Echo == peer.Answered) return; // its copy on another link
        if (peer.Challenge.IsNone || message.Echo != peer.Challenge) { Drop(DropReason.UnexpectedHandshake); return; }
        peer.Answered = peer.Challenge;
        peer.Challenge = default;
        if (message.Kind == HandshakeKind.Challenge) SendHandshake(now, peer, link, HandshakeKind.Response, message.Boot.Short, message.Challenge, effects);
        if (peer.Session?.Boot == message.Boot) return; // known: it only wanted our answer
        peer.Product = HandshakeBody.Product(body);
        Accept(now, peer, link, message, effects);
    }

    private void Accept(Instant now, Peer peer, PeerLink link, in HandshakeBody message, ILinkEffects effects)
    {
        if (peer.Session is { } old)
        {
            SetAllSilent(now, peer, PeerReason.Restarted, effects);
            old.Dispose();
        }
        peer.Session = new Session(_keys, peer.Node, message.Boot, _options.LinkCount, message.Algorithm);
        peer.Row = null;
        peer.HintAt = null;
        peer.IsToldOf = false;
        peer.State = PeerState.Unknown;
        peer.Fragments.Reset();
        foreach (var each in peer.Links)
        {
            each.Reset();
            each.BeatBy(now);
        }
        link.Hears = true;
        link.LastHeard = now;
        UpdateLink(now, peer, link, PeerReason.Handshake, effects);
        Arm(now);
    }

    private static bool MayAnswer(Instant now, PeerLink link)
    {
        if (link.Answers == 0 || now - link.AnswersSince >= TimeSpan.FromSeconds(1))
        {
            link.AnswersSince = now;
            link.Answers = 0;
        }
        if (link.Answers >= AnswersPerSecondMax) return false;
        link.Answers++;
        return true;
    }

    private bool IsCompatible(Instant now, Peer peer, in HandshakeBody message, ReadOnlySpan<byte> body, ILinkEffects effects)
    {
        var speaks = message.VersionMin <= _options.WireVersionMax && message.VersionMax >= _options.WireVersionMin;
        if (speaks && message.ConfigurationDigest == _options.ConfigurationDigest) return true;
        Drop(speaks ? DropReason.ConfigurationDiffers : DropReason.UnknownVersion);
        if (peer.IncompatibleAt is { } last && now < last + IncompatibleEvery) return false;
        peer.IncompatibleAt = now;
        peer.Product = HandshakeBody.Product(body);
        effects.Incompatible(
            peer.Node,
            Versions(_options.WireVersionMin, _options.WireVersionMax, _options.ProductVersion, _options.ConfigurationDigest),
            Versions(message.VersionMin, message.VersionMax, peer.Product, message.ConfigurationDigest));
        return false;
    }

    private static string Versions(byte min, byte max, string product, ulong digest) => string.Create(
        CultureInfo.InvariantCulture, $"wire version {min}-{max} (product {product}), configuration {digest:x16}");

    private void SendHello(Instant now, Peer peer, PeerLink link, ILinkEffects effects) =>
        SendHandshake(now, peer, link, HandshakeKind.Hello, 0, default, effects);

    private void SendHandshake(Instant now, Peer peer, PeerLink link, HandshakeKind kind, ulong bootShort, ChallengeBits echo, ILinkEffects effects)
    {
        var body = new HandshakeBody(
            kind, new BodyTarget(peer.Node, bootShort, link.Id), _options.WireVersionMin, _options.WireVersionMax, _ciphers.Preferred, _boot,
            _options.ConfigurationDigest, ChallengeFor(now, peer), echo);
        var datagram = Room(link.Id, peer.Set, WireHeader.Overhead + HandshakeBody.Bytes, effects);
        body.Write(datagram[WireHeader.Bytes..^ICipher.TagBytes], _product);
        SealInPlace(link.Id, WireClass.Handshake, Draw().Low, _keys.Handshake(_keys.Active), datagram);
        _hasControl = true;
    }

    private ChallengeBits ChallengeFor(Instant now, Peer peer)
    {
        var life = _retryPace * 4 > ChallengeLife ? _retryPace * 4 : ChallengeLife;
        if (!peer.Challenge.IsNone && now - peer.ChallengeSince < life) return peer.Challenge;
        peer.Challenge = Draw();
        peer.ChallengeSince = now;
        return peer.Challenge;
    }

    /// <summary>128 bits nobody can guess or meet again: the seeded source alone has too few seeds, so a secret of this boot is mixed in.</summary>
    private ChallengeBits Draw()
    {
        Span<byte> input = stackalloc byte[16];
        Span<byte> output = stackalloc byte[HMACSHA256.HashSizeInBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(input, ++_drawn);
        BinaryPrimitives.WriteInt64LittleEndian(input[8..], _random.NextInt64());
        HMACSHA256.HashData(_challengeSecret, input, output);
        return new ChallengeBits(BinaryPrimitives.ReadUInt64LittleEndian(output), BinaryPrimitives.ReadUInt64LittleEndian(output[8..]));
    }
}
