"""Calls the probe service with grpcio, without generated code: messages are encoded by hand. Prints one line per case.

client.py ADDRESS [CA [CERTIFICATE KEY]]: with a CA over TLS, with certificate and key over mutual TLS.
"""
import sys
import threading
import grpc
from wire import connect, credentials, expect, failure, raw, varint


def order(text="", payload=b"", reply_bytes=0, count=0, status=0, detail="", details=b"", wait=False):
    out = b""
    for field, value in ((1, text.encode()), (2, payload), (6, detail.encode()), (7, details)):
        if value:
            out += varint(field << 3 | 2) + varint(len(value)) + value
    for field, value in ((3, reply_bytes), (4, count), (5, status), (8, int(wait))):
        if value:
            out += varint(field << 3) + varint(value)
    return out


with connect(sys.argv[1], credentials(*sys.argv[2:])) as channel:
    probe = "/membership.grpc.tests.Probe/"
    unary = channel.unary_unary(probe + "Unary", **raw)

    reply, call = unary.with_call(order(text="hällo"), metadata=(("echo-text", "v"), ("echo-b-bin", b"\x00\xff")))
    expect("unary", reply, b"\x0a\x06h\xc3\xa4llo")
    expect("trailers", sorted((k, v) for k, v in call.trailing_metadata() if k.startswith("echo")), [("echo-b-bin", b"\x00\xff"), ("echo-text", "v")])

    error = failure(lambda: unary(order(status=9, detail="größer\n漢字 50%", details=b"\x01\xfa")))
    expect("error status", error.code(), grpc.StatusCode.FAILED_PRECONDITION)
    expect("error text", error.details(), "größer\n漢字 50%")
    expect("error details", dict(error.trailing_metadata())["grpc-status-details-bin"], b"\x01\xfa")

    expect("gzip request", len(unary(order(payload=b"\0" * 3_000_000), compression=grpc.Compression.Gzip)) > 0, True)
    expect("over the limit", failure(lambda: unary(order(payload=b"\0" * 5_000_000))).code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
    expect("deadline", failure(lambda: unary(order(wait=True), timeout=0.3)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    produce = channel.unary_stream(probe + "Produce", **raw)
    expect("server stream", len(list(produce(order(count=5000, reply_bytes=100)))), 5000)
    stream = produce(order(count=3, status=10, detail="no more"))
    received = []
    error = failure(lambda: received.extend(message for message in stream))
    expect("error inside a stream", (error.code(), error.details()), (grpc.StatusCode.ABORTED, "no more"))

    collect = channel.stream_unary(probe + "Collect", **raw)
    expect("client stream", collect(order(text="x") for _ in range(3000)), b"\x18" + varint(3000))
    expect("early error", failure(lambda: collect(order(count=5, status=11) for _ in range(100000))).code(), grpc.StatusCode.OUT_OF_RANGE)

    talk = channel.stream_stream(probe + "Talk", **raw)
    expect("bidirectional", list(talk(iter([order(text="a"), order(text="b")]))), [b"\x0a\x01a", b"\x0a\x01b"])

    unknown = channel.unary_unary("/no.such/Method", **raw)
    expect("unknown method", failure(lambda: unknown(b"")).code(), grpc.StatusCode.UNIMPLEMENTED)
    check = channel.unary_unary("/grpc.health.v1.Health/Check", **raw)
    expect("health", check(b"\x0a\x05livez"), b"\x08\x01")

    expect("large messages", len(unary(order(payload=b"\0" * 3_900_000, reply_bytes=3_900_000))) > 3_900_000, True)

    cancelled = unary.future(order(wait=True))
    threading.Timer(0.3, cancelled.cancel).start()
    try:
        cancelled.result()
        sys.exit("the cancelled call should have failed")
    except grpc.FutureCancelledError:
        expect("cancel", cancelled.code(), grpc.StatusCode.CANCELLED)

    endless = produce(order(count=1, wait=True))
    next(endless)
    endless.cancel()
    expect("cancel of a stream", failure(lambda: next(endless)).code(), grpc.StatusCode.CANCELLED)

    reflect = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", **raw)
    expect("reflection lists the services", b"membership.grpc.tests.Probe" in next(iter(reflect(iter([b"\x3a\x00"])))), True)
    symbol = b"membership.grpc.tests.Probe"
    expect("reflection gives the file of a symbol", b"probe.proto" in next(iter(reflect(iter([b"\x22" + varint(len(symbol)) + symbol])))), True)
