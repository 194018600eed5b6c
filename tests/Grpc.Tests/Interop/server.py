"""A probe service on grpcio, for our client. Prints its port, ends with its standard input."""
import sys
from concurrent import futures
import grpc


def unary(request, context):
    if request == b"fail":
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x01\xfa"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "größer\n漢字 50%")
    context.set_trailing_metadata(tuple((key, value) for key, value in context.invocation_metadata() if key.startswith("echo")))
    return request


def produce(request, context):
    for number in range(2000):
        yield b"%d" % number
    context.abort(grpc.StatusCode.ABORTED, "no more")


def collect(requests, context):
    return b"%d" % sum(1 for _ in requests)


def talk(requests, context):
    for request in requests:
        yield request


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Produce": grpc.unary_stream_rpc_method_handler(produce),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
}
server = grpc.server(futures.ThreadPoolExecutor(4), compression=grpc.Compression.Gzip)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("foreign.Probe", handlers),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(None)
