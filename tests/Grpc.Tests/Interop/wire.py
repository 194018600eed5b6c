"""Messages by hand, and what every script here does with calls: grpcio is tried without generated code."""
import sys
import grpc

raw = dict(request_serializer=None, response_deserializer=None)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def message(*fields):
    """The bytes of a message of (field number, value); text, bytes and messages are values with a length, numbers varints."""
    out = b""
    for field, value in fields:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(field << 3 | 2) + varint(len(value)) + value
    return out


def parse(data):
    """The fields of a message: field number -> all its values in their order."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            at += 1
            value |= (data[at - 1] & 127) << shift
            shift += 7
            if data[at - 1] < 128:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            value = number()
        else:
            size = {1: 8, 5: 4}.get(tag & 7) or number()
            value, at = data[at:at + size], at + size
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def expect(case, actual, wanted):
    if actual != wanted:
        sys.exit(f"{case}: got {actual!r}, wanted {wanted!r}")
    print("ok", case)


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    sys.exit("the call should have failed")


def credentials(*files):
    """Of a CA, and with a certificate and its key of mutual TLS; None without files."""
    if not files:
        return None
    contents = [open(file, "rb").read() for file in files] + [None] * (3 - len(files))
    return grpc.ssl_channel_credentials(contents[0], private_key=contents[2], certificate_chain=contents[1])


def connect(address, tls):
    return grpc.secure_channel(address, tls) if tls else grpc.insecure_channel(address)
