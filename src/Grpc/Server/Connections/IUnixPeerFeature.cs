using Membership.Grpc.Unix;

namespace Membership.Grpc.Server.Connections;

/// <summary>On a connection: who connected, read once when it was accepted.</summary>
internal interface IUnixPeerFeature
{
    UnixPeer Peer { get; }

    /// <summary>Supplementary groups of the peer.</summary>
    IReadOnlyList<uint> Groups { get; }
}

/// <inheritdoc cref="IUnixPeerFeature"/>
internal sealed record UnixPeerFeature(UnixPeer Peer, IReadOnlyList<uint> Groups) : IUnixPeerFeature;
