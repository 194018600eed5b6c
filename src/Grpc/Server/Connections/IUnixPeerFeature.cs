using Membership.Grpc.Unix;

namespace Membership.Grpc.Server.Connections;

/// <summary>On a connection: who connected, read once when it was accepted.</summary>
internal interface IUnixPeerFeature
{
    UnixPeer Peer { get; }
}

/// <inheritdoc cref="IUnixPeerFeature"/>
internal sealed record UnixPeerFeature(UnixPeer Peer) : IUnixPeerFeature;
