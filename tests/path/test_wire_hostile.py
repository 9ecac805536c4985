"""Bytes that no client should send, to the real daemon: it refuses them, and lives."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator

import msgspec
import pytest

from golemd.api import calls
from golemd.api.wire import encode_request
from tests.path.ground import GUARD_SECONDS
from tests.path.house import House

MIB = 1 << 20
PING = encode_request(7, "ping", calls.Ping())


@contextlib.contextmanager
def _connected(daemon: House) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        folder = os.open(daemon.socket.parent, os.O_PATH | os.O_CLOEXEC)
        try:
            sock.connect(f"/proc/self/fd/{folder}/{daemon.socket.name}")
        finally:
            os.close(folder)
        sock.settimeout(GUARD_SECONDS)
        yield sock


def _all(sock: socket.socket) -> bytes:
    """What is sent until the connection is closed by the daemon."""
    whole = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            whole += data
    return whole


def _first(sock: socket.socket) -> list[object]:
    whole = b""
    while True:
        whole += sock.recv(65536)
        with contextlib.suppress(msgspec.DecodeError):
            found: list[object] = msgspec.msgpack.decode(whole)
            return found


def _code(message: list[object]) -> str:
    error = message[2][0] if message[0] == 2 else message[2]  # type: ignore[index]  # what the wire says
    return str(error["code"])  # type: ignore[index]  # the map of a fault


def _nested(depth: int) -> bytes:
    return b"\x94\x00\x09\xa4ping\x91" + b"\x91" * depth + b"\xc0"


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1" * 10,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x93\x01\x02\x03",
        b"\x94\x00\xff\xa4ping\x90",
        b"\x94\x00\x01\xc4\x04ping\x90",
        b"\x94\x09\x01\xa4ping\x90",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\x94\x00\x01\xdb\xff\xff\xff\xff",
        b"\x94\x00\x01\xa4\xff\xfe\xfd\xfc\x90",
        _nested(200),
        b"\x94\x00\x01\xa4ping\x91\xdb" + struct.pack(">I", 2 * MIB) + b"x" * (2 * MIB),
        bytes(range(255, 0, -1)) * 8,
    ],
    ids=lambda data: data[:12].hex(),
)
def test_bytes_that_are_no_request_get_one_error_and_the_end(daemon: House, data: bytes) -> None:
    with _connected(daemon) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        answer = _all(sock)
    assert len(answer) < 2000
    assert daemon.call(calls.Ping()).pid == daemon.pid


def test_undecodable_bytes_are_answered_by_one_error(daemon: House) -> None:
    with _connected(daemon) as sock:
        sock.sendall(b"\xc1")
        message: list[object] = msgspec.msgpack.decode(_all(sock))
    assert message[:2] == [2, "error"]
    assert _code(message)


def test_the_error_names_the_request_when_its_id_was_read(daemon: House) -> None:
    with _connected(daemon) as sock:
        sock.sendall(_nested(100))
        message: list[object] = msgspec.msgpack.decode(_all(sock))
    assert message[:2] == [1, 9]
    assert message[3] is None


@pytest.mark.parametrize(
    ("params", "method", "code"),
    [
        (b"\x90", b"\xa7nothing", "unknown_method"),
        (b"\x91\x81\xa1x\x01", b"\xa4ping", "invalid_params"),
        (b"\x91\x80", b"\xa8item.add", "invalid_params"),
        (b"\x91\x81\xa5title\x05", b"\xa8item.add", "invalid_params"),
    ],
)
def test_wrong_methods_and_parameters_are_refused_and_the_connection_goes_on(
    daemon: House, params: bytes, method: bytes, code: str
) -> None:
    with _connected(daemon) as sock:
        sock.sendall(b"\x94\x00\x05" + method + params)
        message = _first(sock)
        assert (message[:2], _code(message)) == ([1, 5], code)
        sock.sendall(PING)
        assert _first(sock)[:3] == [1, 7, None]


@pytest.mark.parametrize("params", [b"\x92\x80\x80", b"\x91\x01"])
def test_parameters_that_are_not_one_map_are_malformed(daemon: House, params: bytes) -> None:
    with _connected(daemon) as sock:
        sock.sendall(b"\x94\x00\x05\xa4ping" + params)
        message = _first(sock)
    assert (message[:2], _code(message)) == ([1, 5], "malformed")


@pytest.mark.parametrize("params", [b"\x90", b"\x91\x80", b"\x91\x90"])
def test_the_three_ways_to_give_no_parameters(daemon: House, params: bytes) -> None:
    with _connected(daemon) as sock:
        sock.sendall(b"\x94\x00\x05\xa4ping" + params)
        assert _first(sock)[2] is None


def test_a_message_may_come_byte_by_byte(daemon: House) -> None:
    with _connected(daemon) as sock:
        for number in range(len(PING)):
            sock.sendall(PING[number : number + 1])
        assert _first(sock)[:3] == [1, 7, None]


def test_a_message_that_is_never_finished_is_cut_off_while_others_are_served(house: House) -> None:
    house.config.write_text("[limits]\nfinish_seconds = 0.3\n", encoding="utf-8")
    house.start()
    with _connected(house) as sock:
        sock.sendall(PING[:4])
        assert house.call(calls.Ping()).pid == house.pid
        message: list[object] = msgspec.msgpack.decode(_all(sock))
    assert _code(message) == "slow_message"


def test_more_clients_than_allowed_are_told_and_the_others_served(house: House) -> None:
    house.config.write_text("[limits]\nconnections = 3\n", encoding="utf-8")
    house.start()
    assert house.call(calls.Ping()).pid == house.pid
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            sock = stack.enter_context(_connected(house))
            sock.sendall(PING)
            assert _first(sock)[2] is None
        one_more = stack.enter_context(_connected(house))
        message: list[object] = msgspec.msgpack.decode(_all(one_more))
        assert _code(message) == "too_many_connections"
        assert house.call(calls.Ping()).pid == house.pid


def test_clients_that_vanish_in_every_state_harm_nobody(daemon: House) -> None:
    beginnings: list[Callable[[socket.socket], object]] = [
        lambda sock: None,
        lambda sock: sock.sendall(PING[:3]),
        lambda sock: sock.sendall(PING),
        lambda sock: sock.sendall(PING * 500),
        lambda sock: sock.sendall(encode_request(1, "events.follow", calls.EventsFollow(since=1))),
    ]
    for begin in beginnings * 5:
        with _connected(daemon) as sock:
            begin(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert daemon.call(calls.Ping()).pid == daemon.pid


def test_a_client_that_asks_and_does_not_read_is_held_back_and_the_others_are_not(daemon: House) -> None:
    question = encode_request(1, "describe", calls.Describe())
    with _connected(daemon) as sock:
        sock.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 64 * MIB:
                sent += sock.send(question * 64)
        for _ in range(20):
            assert daemon.call(calls.Ping()).pid == daemon.pid
        assert sent < 64 * MIB
        assert select.select([sock], [], [], GUARD_SECONDS)[0]
