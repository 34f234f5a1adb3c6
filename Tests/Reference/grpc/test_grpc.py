"""A node as an unmodified gRPC client sees it: Python's grpcio, and raw sockets where grpcio is too well behaved.

PHALANX_GRPC_ADDRESS names any running node, "host:port". Without it the tests are skipped.
"""

import os
import socket
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

ADDRESS = os.environ.get("PHALANX_GRPC_ADDRESS")

pytestmark = pytest.mark.skipif(
    not ADDRESS, reason="set PHALANX_GRPC_ADDRESS to the host:port of a running node"
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def channel():
    with grpc.insecure_channel(ADDRESS) as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
        yield channel


def check(channel, service="", timeout=20):
    return health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=timeout
    )


def unary(channel, path):
    """A method as bytes in, bytes out."""
    return channel.unary_unary(path, request_serializer=None, response_deserializer=None)


def stream(channel, path):
    return channel.stream_stream(path, request_serializer=None, response_deserializer=None)


def failure(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value


def frame(kind, flags, stream_id, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


def connect():
    host, port = ADDRESS.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=60)


def read_to_end(peer, most=1 << 20):
    """What the node sends until it closes. A reset is an end too."""
    answer = b""
    try:
        while len(answer) < most:
            part = peer.recv(65536)
            if not part:
                break
            answer += part
    except ConnectionResetError:
        pass
    return answer


def frames(answer):
    """(type, flags, stream, payload) of each whole frame."""
    while len(answer) >= 9:
        size = int.from_bytes(answer[:3], "big")
        if len(answer) < 9 + size:
            return
        yield answer[3], answer[4], int.from_bytes(answer[5:9], "big") & 0x7FFFFFFF, answer[9 : 9 + size]
        answer = answer[9 + size :]


# Health


def test_the_node_is_serving(channel):
    assert check(channel).status == SERVING


def test_the_health_of_an_unknown_service_is_not_found(channel):
    assert failure(check, channel, "no.such.Service").code() == grpc.StatusCode.NOT_FOUND


def test_watching_an_unknown_service_says_so_and_stays_open(channel):
    watch = health_pb2_grpc.HealthStub(channel).Watch(
        health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=60
    )
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_watching_tells_the_state_at_once(channel):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
    assert next(watch).status == SERVING
    watch.cancel()
    assert check(channel).status == SERVING


def test_a_watch_ends_at_its_deadline(channel):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=0.3)
    assert failure(list, watch).code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_many_checks_at_once(channel):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append([check(channel).status for _ in range(25)]))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[SERVING] * 25] * 16


# Errors as the protocol says


@pytest.mark.parametrize("path", ["/no.such.Service/Method", "/grpc.health.v1.Health/Nothing"])
def test_unknown_methods_are_unimplemented(channel, path):
    error = failure(unary(channel, path), b"", timeout=20)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert path in error.details()
    assert check(channel).status == SERVING


def test_unknown_streaming_methods_are_unimplemented(channel):
    call = stream(channel, "/no.such.Service/Method")(iter([b"a", b"b"]), timeout=20)
    assert failure(list, call).code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_message_over_the_limit_is_resource_exhausted(channel):
    error = failure(unary(channel, "/grpc.health.v1.Health/Check"), b"x" * (5 << 20), timeout=60)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert check(channel).status == SERVING


def test_a_message_that_is_no_protobuf_is_refused(channel):
    error = failure(unary(channel, "/grpc.health.v1.Health/Check"), b"\xff\xff\xff\xff", timeout=20)
    assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)
    assert check(channel).status == SERVING


def test_compressed_messages_are_unimplemented():
    with grpc.insecure_channel(ADDRESS, compression=grpc.Compression.Gzip) as channel:
        # grpcio compresses only what is worth it.
        error = failure(unary(channel, "/grpc.health.v1.Health/Check"), b"x" * 4096, timeout=20)
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_large_metadata_is_refused_and_does_no_harm(channel):
    error = failure(
        unary(channel, "/grpc.health.v1.Health/Check"), b"", timeout=20, metadata=[("x-large", "a" * 100_000)]
    )
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)
    assert check(channel).status == SERVING


# Peers that do not speak the protocol


@pytest.mark.parametrize(
    "noise",
    [b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", bytes(200)],
    ids=["HTTP/1.1", "TLS", "zeros"],
)
def test_what_is_not_http2_is_dropped(channel, noise):
    with connect() as peer:
        peer.sendall(noise)
        assert len(read_to_end(peer)) < 1000
    assert check(channel).status == SERVING


def test_a_truncated_preface_is_dropped(channel):
    with connect() as peer:
        peer.sendall(PREFACE[:15])
        peer.shutdown(socket.SHUT_WR)
        assert len(read_to_end(peer)) < 1000
    assert check(channel).status == SERVING


def test_a_silent_connection_is_dropped(channel):
    with connect() as peer:
        assert len(read_to_end(peer)) < 1000
    assert check(channel).status == SERVING


def test_a_half_open_connection_is_found(channel):
    """After the handshake the peer says nothing more, not even to pings."""
    with connect() as peer:
        peer.sendall(PREFACE + frame(4, 0, 0) + frame(4, 1, 0))
        kinds = [kind for kind, _, _, _ in frames(read_to_end(peer))]
    assert 6 in kinds, "the node should have asked with a PING before it gave up"
    assert check(channel).status == SERVING


@pytest.mark.parametrize(
    "broken",
    [
        frame(0, 0, 9, b"data on a stream that is not open"),
        frame(8, 0, 0, bytes(4)),
        frame(6, 0, 0, b"short"),
        frame(1, 4, 2, b"\x82"),
        frame(9, 4, 1, b"\x82"),
        frame(4, 0, 0, b"\x00\x05\x00\x00\x00\x01"),
        frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff"),
    ],
    ids=[
        "DATA on an idle stream", "WINDOW_UPDATE of zero", "PING of five bytes", "HEADERS on an even stream",
        "CONTINUATION without HEADERS", "SETTINGS with a tiny frame size", "undecodable HPACK",
    ],
)  # fmt: skip
def test_broken_http2_gets_a_goaway(channel, broken):
    with connect() as peer:
        peer.sendall(PREFACE + frame(4, 0, 0) + broken)
        farewells = [payload for kind, _, _, payload in frames(read_to_end(peer)) if kind == 7]
    assert farewells, "the node should have said GOAWAY"
    assert int.from_bytes(farewells[-1][4:8], "big") != 0
    assert check(channel).status == SERVING


def test_an_oversized_frame_is_a_connection_error(channel):
    with connect() as peer:
        peer.sendall(PREFACE + frame(4, 0, 0) + b"\xff\xff\xff\x04\x00\x00\x00\x00\x00")
        farewells = [payload for kind, _, _, payload in frames(read_to_end(peer)) if kind == 7]
    assert farewells and int.from_bytes(farewells[-1][4:8], "big") == 6  # FRAME_SIZE_ERROR
    assert check(channel).status == SERVING


def test_a_flood_of_pings_is_ended(channel):
    with connect() as peer:
        peer.settimeout(60)
        peer.sendall(PREFACE + frame(4, 0, 0))
        ended = False
        try:
            for _ in range(200):
                peer.sendall(frame(6, 0, 0, bytes(8)) * 1000)
        except (BrokenPipeError, ConnectionResetError):
            ended = True
        assert ended or time.sleep(0) is None and len(read_to_end(peer)) < 1 << 20
    assert check(channel).status == SERVING


def test_rapid_resets_are_ended(channel):
    """CVE-2023-44487: streams opened and reset at once, without end."""
    # :method POST, :scheme http, :path / from HPACK's static table.
    with connect() as peer:
        peer.sendall(PREFACE + frame(4, 0, 0))
        try:
            for index in range(20_000):
                number = 2 * index + 1
                peer.sendall(frame(1, 4, number, b"\x83\x86\x84") + frame(3, 0, number, (8).to_bytes(4, "big")))
        except (BrokenPipeError, ConnectionResetError):
            pass
        read_to_end(peer)
    assert check(channel).status == SERVING
