using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Reflection.V1Alpha;

namespace Membership.Grpc.Server.Services;

/// <summary><c>ServerReflection</c> of grpc.reflection.v1alpha: what this server serves, for tools that have no proto files.</summary>
public sealed class ReflectionV1AlphaService : ServerReflection.ServerReflectionBase
{
    private readonly ReflectionIndex _index;

    /// <param name="services">Those to be found, generated as <c>...Reflection.Descriptor.Services</c>.</param>
    public ReflectionV1AlphaService(IEnumerable<ServiceDescriptor> services)
    {
        _index = new ReflectionIndex([.. services]);
    }

    public override async Task ServerReflectionInfo(
        IAsyncStreamReader<ServerReflectionRequest> requestStream,
        IServerStreamWriter<ServerReflectionResponse> responseStream,
        ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false))
        {
            var response = Answer(requestStream.Current);
            response.ValidHost = requestStream.Current.Host;
            response.OriginalRequest = requestStream.Current;
            await responseStream.WriteAsync(response).ConfigureAwait(false);
        }
    }

    private ServerReflectionResponse Answer(ServerReflectionRequest request) => request.MessageRequestCase switch
    {
        ServerReflectionRequest.MessageRequestOneofCase.ListServices => List(),
        ServerReflectionRequest.MessageRequestOneofCase.FileByFilename =>
            Files(_index.ByFileName(request.FileByFilename), $"file '{request.FileByFilename}'"),
        ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol =>
            Files(_index.BySymbol(request.FileContainingSymbol), $"symbol '{request.FileContainingSymbol}'"),
        ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType => Extensions(request.AllExtensionNumbersOfType),
        ServerReflectionRequest.MessageRequestOneofCase.FileContainingExtension =>
            Error(StatusCode.NotFound, "This server has no extensions (proto3)."),
        _ => Error(StatusCode.InvalidArgument, "The request asks nothing."),
    };

    private ServerReflectionResponse List()
    {
        var list = new ListServiceResponse();
        foreach (string name in _index.Services) list.Service.Add(new ServiceResponse { Name = name });
        return new ServerReflectionResponse { ListServicesResponse = list };
    }

    private ServerReflectionResponse Extensions(string type) =>
        _index.IsMessage(type)
            ? new ServerReflectionResponse { AllExtensionNumbersResponse = new ExtensionNumberResponse { BaseTypeName = type } }
            : Error(StatusCode.NotFound, $"There is no message '{type}'.");

    private static ServerReflectionResponse Files(IReadOnlyList<ByteString>? files, string asked) =>
        files is null
            ? Error(StatusCode.NotFound, $"There is no {asked}.")
            : new ServerReflectionResponse { FileDescriptorResponse = new FileDescriptorResponse { FileDescriptorProto = { files } } };

    private static ServerReflectionResponse Error(StatusCode code, string message) =>
        new() { ErrorResponse = new ErrorResponse { ErrorCode = (int)code, ErrorMessage = message } };
}
