using Membership.Grpc.Tls;
using Membership.Namespaces;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>Clients nobody here wrote use the API of a real daemon: status, views, a group, what is denied, what does not exist.</summary>
public sealed class ForeignDaemonTests : IAsyncLifetime, IAsyncDisposable
{
    private const int Cases = 13;
    private const string Nobody = "65534";   // whoever runs the daemon may do everything on its socket
    private const string Oneself = "-";
    private readonly LoopbackCluster _cluster = new(nodes: 1, "api: { tcp: \"{api}\", roles: { app: [\"cert:program\", \"others\"] } }\n");

    public Task InitializeAsync()
    {
        _cluster.MakeCertificates();
        File.SetUnixFileMode(_cluster.Folder, File.GetUnixFileMode(_cluster.Folder) | UnixFileMode.OtherExecute);   // to its socket
        return _cluster.StartAllAsync();
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [ForeignUserFact(Foreign.Grpcio)]
    public Task Grpcio_uses_a_daemon_over_its_socket() =>
        ForeignCases.PassAsync(Cases, Foreign.Grpcio, "daemon.py", $"unix:{_cluster.Socket(1)}", Nobody);

    [ForeignFact(Foreign.Grpcio)]
    public Task Grpcio_uses_a_daemon_over_mutual_tls() =>
        ForeignCases.PassAsync(Cases, Foreign.Grpcio, "daemon.py", [_cluster.Remote(1).Authority, Oneself, .. Files()]);

    [ForeignUserFact(Foreign.GrpcJs)]
    public Task Grpc_js_uses_a_daemon_over_its_socket() =>
        ForeignCases.PassAsync(Cases, Foreign.GrpcJs, "daemon.cjs", $"unix:{_cluster.Socket(1)}", ForeignCases.Protos, Nobody);

    [ForeignFact(Foreign.GrpcJs)]
    public Task Grpc_js_uses_a_daemon_over_mutual_tls() =>
        ForeignCases.PassAsync(Cases, Foreign.GrpcJs, "daemon.cjs", [_cluster.Remote(1).Authority, ForeignCases.Protos, Oneself, .. Files()]);

    private string[] Files()
    {
        TlsFiles files = _cluster.MakeClient("program");
        return [files.Authorities, files.Certificate, files.Key];
    }
}
