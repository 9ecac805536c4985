"""Every limit of the socket, at the limit and one beyond, and what becomes of the others meanwhile."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from golemd.adapters.socket import SocketLimits, connection, server
from golemd.api.wire import WireLimits, encode_request
from tests.adapters.socket.lab import Lab


def test_the_limits_are_those_of_the_contract() -> None:
    limits = SocketLimits()
    assert (limits.connections, limits.in_flight, limits.finish_seconds) == (64, 32, 5.0)
    assert limits.follower_bytes == limits.reply_bytes == limits.wire.message_bytes == 1 << 20
    assert limits.wire.nesting == 32


async def test_one_connection_too_many_is_told_so_and_there_is_room_again_when_one_ends(lab: Lab) -> None:
    await lab.start()
    clients = [await lab.connect() for _ in range(64)]
    for client in clients:
        assert await client.call("echo") == {}
    late = await lab.connect()
    assert await late.error() == "too_many_connections"
    assert await late.read() is None
    await clients[0].aclose()
    await wait_all_tasks_blocked()
    assert await (await lab.connect()).call("echo") == {}
    assert await clients[1].call("echo") == {}


async def test_one_call_in_flight_too_many_is_refused_and_the_others_go_on(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    for number in range(32):
        await client.send("wait", n=number)
    assert await client.call("echo") == "too_many_calls"
    assert await (await lab.connect()).call("echo") == {}
    lab.release.set()
    answers = [await client.response() for _ in range(32)]
    assert sorted(msgid for msgid, _ in answers) == list(range(1, 33))
    assert await client.call("echo") == {}


async def test_a_client_that_has_gone_is_not_worked_for(lab: Lab) -> None:
    await lab.start()
    with lab.connect_raw() as gone:
        gone.sendall(encode_request(1, "echo", {}) * 1000)
    other = await lab.connect()
    for _ in range(100):
        assert await other.call("echo") == {}
    assert len(lab.calls) < 300


async def test_a_connection_gives_way_when_its_calls_take_long(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = itertools.count(step=connection.TURN_SECONDS * 1.5)
    monkeypatch.setattr(connection, "perf_counter", lambda: next(moments))
    await lab.start()
    busy, other = await lab.connect(), await lab.connect()
    await busy.stream.send_all(encode_request(1, "who", {}) * (connection.TURN - 2))
    assert await other.call("echo") == {}
    handled = [call.method for _, call in lab.calls]
    assert handled.index("echo") < connection.TURN - 2


async def test_a_message_must_be_finished_in_time(lab: Lab, autojump_clock: MockClock) -> None:
    await lab.start()
    client, other = await lab.connect(), await lab.connect()
    await client.stream.send_all(b"\x94\x00\x01")
    began = trio.current_time()
    assert await client.error() == "slow_message"
    assert trio.current_time() - began == pytest.approx(5.0)
    assert await client.read() is None
    assert await other.call("echo") == {}


async def test_a_byte_now_and_then_gives_no_more_time(lab: Lab, autojump_clock: MockClock) -> None:
    client = await (await lab.start()).connect()
    began = trio.current_time()
    for byte in encode_request(1, "echo", {}):
        try:
            await client.stream.send_all(bytes([byte]))
        except trio.BrokenResourceError:
            break
        await trio.sleep(1)
    assert await client.error() == "slow_message"
    assert trio.current_time() - began < 8


async def test_each_message_has_its_own_time(lab: Lab, autojump_clock: MockClock) -> None:
    client = await (await lab.start()).connect()
    message = encode_request(1, "echo", {})
    await client.stream.send_all(message[:5])
    for _ in range(5):
        await trio.sleep(4)
        await client.stream.send_all(message[5:] + message[:5])
        assert await client.response() == (1, {})
    await client.stream.send_all(message[5:])
    assert await client.response() == (1, {})
    await trio.sleep(80_000)
    assert await client.call("echo") == {}


async def test_the_limits_of_messages_are_passed_on(lab: Lab) -> None:
    client = await (await lab.start(SocketLimits(wire=WireLimits(message_bytes=100)))).connect()
    assert await client.call("echo", a="x" * 50) == {"a": "x" * 50}
    assert await client.call("echo", a="x" * 100) == "message_too_large"
    assert await client.read() is None


async def test_a_large_message_that_is_refused_half_way_is_still_told_why(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    with pytest.raises(trio.BrokenResourceError):
        await client.send("echo", a="x" * (4 << 20))
    assert await client.response() == (1, "message_too_large")
    assert await client.read() is None


async def test_from_a_client_that_reads_no_answers_nothing_more_is_read(lab: Lab) -> None:
    await lab.start()
    client, other = await lab.connect(), await lab.connect()
    await client.stream.send_all(b"".join(encode_request(n, "large", {"bytes": 100_000}) for n in range(200)))
    await wait_all_tasks_blocked()
    taken = len(lab.calls)
    assert 10 <= taken <= 10 + 1 + 10  # the bound, the one that passes it, and what the kernel holds
    assert await other.call("echo") == {}
    for number in range(200):
        msgid, answer = await client.response()
        assert (msgid, len(answer)) == (number, 100_000)
    assert await client.call("echo") == {}


async def test_a_client_that_has_been_waited_for_has_the_full_time_to_finish_its_message(
    lab: Lab, autojump_clock: MockClock
) -> None:
    client = await (await lab.start(SocketLimits(reply_bytes=1000))).connect()
    await client.stream.send_all(encode_request(1, "large", {"bytes": 900_000}) + encode_request(2, "echo", {})[:-1])
    await trio.sleep(60)
    assert (await client.response())[0] == 1
    await client.stream.send_all(encode_request(2, "echo", {})[-1:])
    assert await client.response() == (2, {})


async def test_a_client_that_leaves_while_it_is_waited_for_frees_its_place(lab: Lab) -> None:
    await lab.start(SocketLimits(connections=1, reply_bytes=1000))
    client = await lab.connect()
    await client.send("large", bytes=1 << 20)
    await wait_all_tasks_blocked()
    await client.aclose()
    await wait_all_tasks_blocked()
    assert await (await lab.connect()).call("echo") == {}


async def test_a_client_that_takes_nothing_more_is_not_waited_for_at_the_end(
    lab: Lab, autojump_clock: MockClock
) -> None:
    await lab.start(SocketLimits(connections=1))
    client = await lab.connect()
    await client.send("large", bytes=1 << 19)
    await client.stream.send_eof()
    await trio.sleep(4.9)
    assert await (await lab.connect()).error() == "too_many_connections"
    await trio.sleep(0.2)
    assert await (await lab.connect()).call("echo") == {}


@pytest.fixture
def few_descriptors() -> Iterator[Any]:
    """Call it, and there are no descriptors until the log has something to say."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said: list[str] = []

    class Restore(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def exhaust() -> list[str]:
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        return said

    handler = Restore()
    logging.getLogger(server.__name__).addHandler(handler)
    yield exhaust
    logging.getLogger(server.__name__).removeHandler(handler)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_client_that_comes_when_there_are_no_descriptors_is_served_when_there_are(
    lab: Lab, few_descriptors: Any, autojump_clock: MockClock
) -> None:
    await lab.start()
    first = await lab.connect()
    await first.call("echo")
    sock = trio.socket.socket(socket.AF_UNIX)
    said = few_descriptors()
    await sock.connect(str(lab.path))
    second = lab.adopt(trio.SocketStream(sock))
    assert await second.call("echo") == {}
    assert await first.call("echo") == {}
    assert said == [f"no connection can be accepted: {os.strerror(errno.EMFILE)}"]


async def test_a_lasting_shortage_is_logged_once(
    lab: Lab, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await lab.start()
    real, shortages = server._accept, [OSError(errno.ENFILE, "too many"), OSError(errno.ENOMEM, "no memory")]

    def accept(listener: socket.socket) -> socket.socket:
        if shortages:
            raise shortages.pop()
        return real(listener)

    monkeypatch.setattr(server, "_accept", accept)
    assert await (await lab.connect()).call("echo") == {}
    assert [record.getMessage() for record in caplog.records] == ["no connection can be accepted: no memory"]


@pytest.mark.parametrize("fault", [BlockingIOError(), ConnectionAbortedError()], ids=repr)
async def test_a_client_that_has_gone_before_it_is_accepted_does_no_harm(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fault: OSError
) -> None:
    await lab.start()
    real, faults = server._accept, [fault]

    def accept(listener: socket.socket) -> socket.socket:
        if faults:
            raise faults.pop()
        return real(listener)

    monkeypatch.setattr(server, "_accept", accept)
    assert await (await lab.connect()).call("echo") == {}
    assert not faults


async def test_a_listener_that_is_broken_is_not_hidden(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def accept(listener: socket.socket) -> socket.socket:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(server, "_accept", accept)

    async def be_served() -> None:
        async with trio.open_nursery() as nursery:
            lab.nursery = nursery
            await lab.start()
            await lab.connect()
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await be_served()
    assert caught.value.split(OSError)[1] is None
