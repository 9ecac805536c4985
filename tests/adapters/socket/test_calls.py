"""Calls over a real socket: every way in which one can be answered, or a connection can end."""

from __future__ import annotations

import logging
import math
import os
import socket
import struct
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from golemd.adapters.socket import SocketLimits, connection, peer_credentials, server
from golemd.api.faults import Invalid
from golemd.api.wire import encode_error, encode_notification, encode_request, encode_response
from tests.adapters.socket.lab import Lab


async def test_a_call_is_answered_with_what_the_handler_returns(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    assert await client.call("echo", a=[1, {"b": None}]) == {"a": [1, {"b": None}]}


async def test_a_call_that_waits_does_not_hold_up_the_next(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    waiting = await client.send("wait", n=1)
    quick = await client.send("echo", n=2)
    assert await client.response() == (quick, {"n": 2})
    lab.release.set()
    assert await client.response() == (waiting, {"n": 1})


async def test_the_handler_knows_who_calls(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    assert await client.call("who") == {"pid": os.getpid(), "uid": os.getuid(), "agent": None}
    lab.agent = "WRK-1.1.build.1"
    other = await lab.connect()
    assert (await other.call("who"))["agent"] == "WRK-1.1.build.1"


async def test_a_caller_who_cannot_be_told_has_the_rights_of_an_agent(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(pid: int) -> str | None:
        raise ProcessLookupError(pid)

    monkeypatch.setattr(lab, "classify", fail)
    client = await (await lab.start()).connect()
    assert (await client.call("who"))["agent"] == "unknown"
    assert f"cannot tell who process {os.getpid()} is" in caplog.text


async def test_a_fault_is_the_answer_with_all_that_it_says(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.send("missing")
    message: Any = await client.read()
    assert msgspec.to_builtins(message.error) == {
        "code": "no_such_item",
        "class": "not_found",
        "message": "WRK-9 is not there",
        "hint": "look at status",
        "data": {"id": "WRK-9"},
    }
    assert await client.call("unknown") == "unknown_method"
    assert await client.call("echo") == {}


@pytest.mark.parametrize("method", ["defect", "wait_then_fail", "unwritable"])
async def test_a_defect_is_told_to_the_log_and_not_to_the_client(
    lab: Lab, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await (await lab.start()).connect()
    lab.release.set()
    await client.send(method)
    message: Any = await client.read()
    assert (message.error.code, message.error.class_) == ("internal", "internal")
    assert "secret" not in str(msgspec.to_builtins(message.error))
    assert any(record.exc_info for record in caplog.records)
    assert await client.call("echo") == {}


@pytest.mark.parametrize(
    "message", [encode_notification("item.add", {}), encode_response(1, None), encode_error(None, Invalid("x", "y"))]
)
async def test_what_is_no_request_is_refused_and_the_connection_lives(lab: Lab, message: bytes) -> None:
    client = await (await lab.start()).connect()
    await client.stream.send_all(message)
    assert await client.error() == "not_a_request"
    assert await client.call("echo") == {}


async def test_undecodable_bytes_get_one_error_after_earlier_answers_and_the_connection_ends(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.stream.send_all(encode_request(1, "echo", {}) + b"\x94\x00\x02\xa1m\xc1" + b"\xc1" * 1000)
    assert await client.response() == (1, {})
    assert await client.response() == (2, "malformed")
    assert await client.read() is None
    assert len(lab.calls) == 1


async def test_undecodable_bytes_without_an_id_get_a_notification(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
    assert await client.error() == "malformed"
    assert await client.read() is None


async def test_a_client_that_sends_no_more_still_gets_the_answer_it_waits_for(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.send("wait", n=1)
    await client.stream.send_eof()
    await wait_all_tasks_blocked()
    lab.release.set()
    assert await client.response() == (1, {"n": 1})
    assert await client.read() is None


async def only_place(lab: Lab) -> Lab:
    """The lab with room for one connection, so that a second one is let in only when the first is over."""
    return await lab.start(SocketLimits(connections=1))


async def test_a_client_that_leaves_answers_unread_ends_only_its_own_connection(lab: Lab) -> None:
    await only_place(lab)
    with lab.connect_raw() as sock:
        sock.sendall(encode_request(1, "echo", {}))
        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()
    client = await lab.connect()
    assert await client.call("echo") == {}


async def test_a_call_is_carried_to_its_end_when_the_client_has_gone(lab: Lab) -> None:
    await only_place(lab)
    client = await lab.connect()
    await client.send("wait")
    await client.send("wait")
    await wait_all_tasks_blocked()
    await client.aclose()
    await wait_all_tasks_blocked()
    assert not lab.released.is_set()
    assert await (await lab.connect()).error() == "too_many_connections"
    lab.release.set()
    await wait_all_tasks_blocked()
    assert lab.released.is_set()
    assert await (await lab.connect()).call("echo") == {}


async def test_a_client_that_shuts_its_receiving_side_is_dropped_at_the_next_answer(lab: Lab) -> None:
    await only_place(lab)
    with lab.connect_raw() as sock:
        sock.shutdown(socket.SHUT_RD)
        sock.sendall(encode_request(1, "echo", {}))
        await wait_all_tasks_blocked()
        client = await lab.connect()
        assert await client.call("echo") == {}


async def test_a_wake_up_for_nothing_does_no_harm(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await (await lab.start()).connect()
    whole, early = connection.Connection._read_quickly, [True]

    def read_twice(self: connection.Connection) -> bool:
        """The first look finds what has come, the second finds nothing."""
        done = whole(self)
        return whole(self) if done and early and early.pop() else done

    monkeypatch.setattr(connection.Connection, "_read_quickly", read_twice)
    other = await lab.connect()
    while early:  # on a busy machine a turn may be over before there is nothing more to read
        assert await other.call("echo") == {}
    assert await other.call("echo") == {}
    assert await client.call("echo") == {}


async def test_a_wake_up_for_nothing_within_a_message_does_no_harm(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await (await lab.start()).connect()
    real, early = trio.lowlevel.wait_readable, [True]

    async def wait_readable(sock: socket.socket | int) -> None:
        if early and isinstance(sock, socket.socket) and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            early.pop()
            await trio.lowlevel.checkpoint()
        else:
            await real(sock)

    request = encode_request(1, "echo", {})
    await client.stream.send_all(request[:3])
    await wait_all_tasks_blocked()
    monkeypatch.setattr(trio.lowlevel, "wait_readable", wait_readable)
    await client.stream.send_all(request[3:5])
    await wait_all_tasks_blocked()
    assert not early
    await client.stream.send_all(request[5:])
    assert await client.response() == (1, {})


async def test_a_defect_in_a_connection_ends_that_connection_only(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await only_place(lab)
    client = await lab.connect()
    with monkeypatch.context() as patch:
        patch.setattr(connection.Connection, "_take", lambda *_: 1 / 0)
        await client.send("echo")
        assert await client.read() is None
    await wait_all_tasks_blocked()
    assert "the connection of process" in caplog.text
    assert await (await lab.connect()).call("echo") == {}


async def test_twenty_clients_at_once_each_get_their_own_answers(lab: Lab) -> None:
    await lab.start()

    async def talk(name: int) -> None:
        client = await lab.connect()
        for number in range(50):
            await client.send("echo", name=name, number=number)
        for number in range(50):
            assert await client.response() == (number + 1, {"name": name, "number": number})
        await client.aclose()

    async with trio.open_nursery() as nursery:
        for name in range(20):
            nursery.start_soon(talk, name)
    assert len(lab.calls) == 1000


async def test_a_client_with_much_to_say_gives_way_to_the_others(lab: Lab) -> None:
    await lab.start()
    chatty, modest = await lab.connect(), await lab.connect()
    await wait_all_tasks_blocked()
    await chatty.stream.send_all(b"".join(encode_request(n, "echo", {"from": "chatty"}) for n in range(500)))
    await modest.stream.send_all(encode_request(1, "echo", {"from": "modest"}))
    assert await modest.response() == (1, {"from": "modest"})
    assert len(lab.calls) < 400
    for number in range(500):
        assert await chatty.response() == (number, {"from": "chatty"})


async def test_a_message_in_single_bytes_is_answered(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    for byte in encode_request(7, "echo", {"a": 1}):
        await client.stream.send_all(bytes([byte]))
        await wait_all_tasks_blocked()
    assert await client.response() == (7, {"a": 1})


async def test_nothing_is_timed_while_clients_are_idle(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.send("follow")
    await client.response()
    await wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf


async def test_another_user_is_turned_away_at_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "peer_credentials", lambda sock: (4711, os.geteuid() + 1))
    client = await (await lab.start()).connect()
    assert await client.read() is None
    assert "refused process 4711" in caplog.text


def test_the_credentials_of_the_other_end_are_those_of_its_process() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert peer_credentials(here) == (os.getpid(), os.geteuid())


async def test_when_the_daemon_stops_answers_are_out_and_streams_and_connections_end(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    await lab.start()
    client, waiting = await lab.connect(), await lab.connect()
    await client.send("follow", count=3)
    await waiting.send("wait")
    await wait_all_tasks_blocked()
    lab.scope.cancel()
    await lab.stopped.wait()
    assert await client.response() == (1, {"following": {"count": 3}})
    assert [(await client.news())[1]["n"] for _ in range(3)] == [0, 1, 2]
    assert await client.read() is None
    assert await waiting.read() is None
    assert lab.produced == ["follow", "end of follow"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_client_is_not_confused_by_an_abrupt_reset(lab: Lab) -> None:
    await only_place(lab)
    sock = lab.connect_raw()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.sendall(b"\x94\x00")
    sock.close()
    await wait_all_tasks_blocked()
    assert await (await lab.connect()).call("echo") == {}
