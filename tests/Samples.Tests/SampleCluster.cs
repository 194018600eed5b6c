using Membership.Namespaces;
using Xunit;

namespace Membership.Samples.Tests;

/// <summary>Three daemons for all tests of a class.</summary>
public sealed class SampleCluster : IAsyncLifetime, IAsyncDisposable
{
    private readonly LoopbackCluster _daemons = new();

    public string Socket(int node) => _daemons.Socket(node);

    public void Start(int node) => _daemons.Start(node);

    public void Kill(int node) => _daemons.Kill(node);

    public Task FormAsync() => _daemons.FormAsync();

    public Task InitializeAsync() => _daemons.StartAllAsync();

    public ValueTask DisposeAsync() => _daemons.DisposeAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();
}
