"""Calls membership.v1 of a daemon with grpcio. Prints one line per case. Field numbers are those of proto/membership/v1.

daemon.py ADDRESS USER [CA CERTIFICATE KEY]: as the user of that number ("-": as whoever runs it); with the files over mutual TLS.
"""
import os
import queue
import sys
import grpc
from wire import connect, credentials, expect, failure, message, parse, raw

address, user, *files = sys.argv[1:]
tls = credentials(*files)
if user != "-":
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))


def error_info(error):
    """Reason and metadata of the google.rpc.Status beside a refusal."""
    status = parse(dict(error.trailing_metadata())["grpc-status-details-bin"])
    anything = parse(status[3][0])
    if anything[1] != [b"type.googleapis.com/google.rpc.ErrorInfo"] or status[1] != [error.code().value[0]]:
        sys.exit(f"no ErrorInfo of {error.code()}: {status!r}")
    info = parse(anything[2][0])
    facts = [parse(entry) for entry in info.get(3, [])]
    return info[1][0].decode(), {fact[1][0].decode(): fact[2][0].decode() for fact in facts}


with connect(address, tls) as channel:
    status = parse(channel.unary_unary("/membership.v1.MembershipService/GetStatus", **raw)(b""))
    expect("status", (status[1], status[3], status[4], status[8], status[9]), ([b"loopback"], [1], [b"n1"], [1], [1]))

    watch = channel.unary_stream("/membership.v1.MembershipService/WatchViews", **raw)(b"")
    view = next(response[1][0] for response in map(parse, watch) if 1 in response)
    expect("views", (parse(view)[1], [parse(member)[2] for member in parse(view)[4]]), (parse(status[6][0])[1], [[b"n1"]]))
    watch.cancel()

    requests = queue.SimpleQueue()
    session = channel.stream_stream("/membership.v1.GroupService/Session", **raw)(iter(requests.get, None))
    events = (parse(event) for response in session for event in parse(response).get(1, []))
    requests.put(message((1, message((1, "interop")))))
    own = parse(next(events)[3][0])[1]
    expect("session", parse(own[0])[1], [1])

    requests.put(message((2, message((1, 7), (2, "foreign")))))
    joined = parse(next(events)[4][0])
    expect("join", (joined[1], joined[2], joined[4], joined[5], joined[7]), ([7], [b"foreign"], own, own, [1]))

    requests.put(message((4, message((1, 7), (2, "größer".encode()), (2, b""), (3, 2)))))
    receipts, messages = [], []
    while len(receipts) < 2 or len(messages) < 2:
        event = next(events)
        receipts += [parse(receipt) for batch in event.get(6, []) for receipt in parse(batch)[1]]
        messages += [parse(body) for body in event.get(5, [])]
    expect("own messages", [(body[1], body[2], body.get(5), body[4]) for body in messages], [([7], own, ["größer".encode()], [2]), ([7], own, None, [2])])
    expect("receipts", [receipt[1] for receipt in receipts], [body[3] for body in messages])

    requests.put(message((3, message((1, 7)))))
    left = parse(next(events)[4][0])
    expect("leave", (left[1], left.get(4), left[6], left[7]), ([7], None, own, [2]))

    requests.put(message((2, message((1, 8), (2, "two\nlines")))))
    expect("refused join", [parse(refused)[2] for refused in next(events)[7]], [[b"GROUP_NAME"]])
    requests.put(None)
    expect("end of the session", (list(events), session.code()), ([], grpc.StatusCode.OK))

    denied = failure(lambda: channel.unary_unary("/membership.v1.AdminService/Leave", **raw)(b""))
    expect("denied", (denied.code(), "needs the role operate; you are" in denied.details()), (grpc.StatusCode.PERMISSION_DENIED, True))
    reason, facts = error_info(denied)
    expect("denied, in words", (reason, facts["role_needed"], facts["role"]), ("PERMISSION_DENIED", "operate", "app"))

    unknown = failure(lambda: channel.unary_unary("/membership.v1.GroupService/GetGroup", **raw)(message((1, "nobody is here"))))
    expect("unknown group", (unknown.code(), error_info(unknown)[0]), (grpc.StatusCode.NOT_FOUND, "GROUP_NOT_FOUND"))
    wrong = failure(lambda: next(channel.unary_stream("/membership.v1.GroupService/WatchGroup", **raw)(message((1, "two\nlines")))))
    expect("bad name", (wrong.code(), error_info(wrong)[0]), (grpc.StatusCode.INVALID_ARGUMENT, "GROUP_NAME"))
