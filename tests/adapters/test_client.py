"""golemctl's client against a small server that speaks the wire over a real Unix socket, and does wrong on purpose."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golemctl import client as module
from golemctl.client import Client, Connection, DaemonUnreachable
from golemd.api import calls, views, wire
from golemd.api.faults import Conflict, Fault, Internal, NotFound, Unavailable
from tests.adapters.wire_server import Peer, Serve

PONG = views.Pong(version="0.1.0", pid=1, seq=7, state_dir="/state")
ITEM = views.ItemView(id="WRK-1", project="demo", title="A", status="new", pipeline="feature")


def test_a_reply_has_the_type_that_the_call_declares(serve: Serve, path: Path) -> None:
    serve(lambda peer: peer.answer(PONG))
    with Client(path) as client:
        assert client.call(calls.Ping()) == PONG


def test_a_long_answer_is_looked_at_a_few_times_only(serve: Serve, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = msgspec.structs.replace(PONG, state_dir="x" * 3_000_000)
    looks: list[int] = []
    whole = wire.Framer._whole

    def counted(self: wire.Framer) -> wire.Message | None:
        looks.append(self.held)
        return whole(self)

    monkeypatch.setattr(wire.Framer, "_whole", counted)
    serve(lambda peer: peer.answer(long))
    with Client(path) as client:
        assert client.call(calls.Ping()) == long
    assert looks[-1] > 3_000_000
    assert len(looks) < 20


def test_one_connection_serves_many_calls(serve: Serve, path: Path) -> None:
    def behave(peer: Peer) -> None:
        for seq in range(3):
            peer.answer(msgspec.structs.replace(PONG, seq=seq))

    serve(behave)
    with Client(path) as client:
        assert [client.call(calls.Ping()).seq for _ in range(3)] == [0, 1, 2]


def test_an_answer_that_ends_with_its_connection_is_taken(serve: Serve, path: Path) -> None:
    long = msgspec.structs.replace(PONG, state_dir="x" * (1 << 16) * 3)

    def behave(peer: Peer) -> None:
        peer.answer(long)
        peer.socket.shutdown(socket.SHUT_RDWR)

    serve(behave)
    with Client(path) as client:
        assert client.call(calls.Ping()) == long


@pytest.mark.parametrize(
    "fault",
    [
        NotFound("item_not_found", "There is no WRK-9.", "See: golemctl status", id="WRK-9"),
        Conflict("gate_not_open", "WRK-1.g1 is decided."),
    ],
)
def test_a_refusal_comes_out_as_the_fault_that_it_was(serve: Serve, path: Path, fault: Fault) -> None:
    def behave(peer: Peer) -> None:
        msgid, _, _ = peer.request()
        peer.socket.sendall(wire.encode_error(msgid, fault))

    serve(behave)
    with Client(path) as client, pytest.raises(type(fault)) as caught:
        client.call(calls.ItemShow(id="WRK-9"))
    assert (caught.value.code, caught.value.message, caught.value.hint) == (fault.code, fault.message, fault.hint)
    assert caught.value.data == fault.data


def test_a_change_carries_a_fresh_token_and_the_name_of_the_client(serve: Serve, path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def behave(peer: Peer) -> None:
        seen.extend(peer.answer(ITEM) for _ in range(2))

    server = serve(behave)
    with Client(path) as client:
        client.call(calls.ItemAdd(title="A"))
        client.call(calls.ItemAdd(title="A"))
    server.end()
    assert [params["client"] for params in seen] == ["golemctl", "golemctl"]
    assert len({params["token"] for params in seen}) == 2
    assert all(len(params["token"]) == 32 for params in seen)


def test_a_token_that_was_given_is_kept(serve: Serve, path: Path) -> None:
    seen: list[dict[str, Any]] = []
    server = serve(lambda peer: seen.append(peer.answer(ITEM)))
    with Client(path) as client:
        client.call(calls.ItemAdd(title="A", token="mine"))
    server.end()
    assert seen[0]["token"] == "mine"


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_connection_that_breaks_before_the_answer_is_tried_once_more_with_the_same_token(
    serve: Serve, path: Path, how: str
) -> None:
    seen: list[dict[str, Any]] = []

    def breaks(peer: Peer) -> None:
        seen.append(peer.request()[2])
        if how == "reset":
            peer.reset()

    server = serve(breaks, lambda peer: seen.append(peer.answer(ITEM)))
    with Client(path) as client:
        assert client.call(calls.ItemAdd(title="A")) == ITEM
    server.end()
    assert seen[0] == seen[1]


def test_a_change_whose_connection_breaks_twice_may_have_happened_and_says_with_which_token_to_repeat_it(
    serve: Serve, path: Path
) -> None:
    tokens: list[str] = []

    def breaks(peer: Peer) -> None:
        tokens.append(peer.request()[2]["token"])

    server = serve(breaks, breaks)
    with Client(path) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.ItemAdd(title="A"))
    server.end()
    assert caught.value.code == "connection_lost"
    assert "unknown" in caught.value.hint
    assert f"--token {tokens[0]}" in caught.value.hint
    assert tokens[0] == tokens[1]


def test_a_change_whose_daemon_ends_before_the_answer_may_have_happened(serve: Serve, path: Path) -> None:
    serve(lambda peer: peer.request())  # and then nobody listens any more
    with Client(path) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.ItemAdd(title="A"))
    assert caught.value.code == "connection_lost"
    assert "--token" in caught.value.hint


def test_a_query_that_is_not_answered_says_that_nothing_was_changed(serve: Serve, path: Path) -> None:
    serve(lambda peer: peer.request(), lambda peer: peer.request())
    with Client(path) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.Ping())
    assert "Nothing was changed" in caught.value.hint


def test_an_answer_that_does_not_come_in_time_is_not_waited_for_longer(serve: Serve, path: Path) -> None:
    given_up = threading.Event()

    def silent(peer: Peer) -> None:
        peer.request()
        given_up.wait(10)

    serve(silent)
    with Client(path, timeout=0.05) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.ItemAdd(title="A"))
    given_up.set()
    assert caught.value.code == "daemon_silent"
    assert "within 0.05 s" in caught.value.message
    assert "--token" in caught.value.hint


def test_bytes_that_trickle_in_do_not_extend_the_time(serve: Serve, path: Path) -> None:
    def trickles(peer: Peer) -> None:
        msgid, _, _ = peer.request()
        data = wire.encode_response(msgid, PONG)
        peer.socket.sendall(data[:-1])
        assert peer.socket.recv(1) == b""  # until the client has given up

    serve(trickles)
    with Client(path, timeout=0.05) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.Ping())
    assert caught.value.code == "daemon_silent"


def test_without_a_socket_it_says_where_it_looked_and_how_to_start_a_daemon(path: Path) -> None:
    with Client(path) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.ItemAdd(title="A"))
    assert caught.value.message == f"golemd is not running (no socket at {path})."
    assert caught.value.hint == "Start it in another terminal: golemd"


def test_a_socket_that_nobody_listens_on_is_said_to_be_one(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    with Client(path, start_hint="Start it so.") as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.Ping())
    assert caught.value.message == f"golemd is not running (nobody listens at {path})."
    assert caught.value.hint == "Start it so."


def test_something_else_in_the_place_of_the_socket_is_named(path: Path) -> None:
    path.write_text("a file")
    with Client(path / "below") as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.Ping())
    assert "Not a directory" in caught.value.message


def test_a_path_that_is_too_long_for_an_address_is_reached(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    serve(lambda peer: peer.answer(PONG), at=folder / "s")
    with Client(folder / "s") as client:
        assert client.call(calls.Ping()) == PONG
    with Client(folder / "other") as client, pytest.raises(DaemonUnreachable):
        client.call(calls.Ping())
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the listener


def test_a_full_backlog_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        waits: list[float] = []

        def let_one_in(seconds: float) -> None:
            waits.append(seconds)
            listener.accept()[0].close()

        monkeypatch.setattr("golemctl.client.time.sleep", let_one_in)
        Connection(path, time.monotonic() + 60).close()
    assert waits


def test_a_backlog_that_stays_full_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKLOG_SECONDS", -1.0)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        with Client(path) as client, pytest.raises(DaemonUnreachable) as caught:
            client.call(calls.Ping())
    assert "temporarily unavailable" in caught.value.message


def test_what_a_daemon_says_before_it_closes_is_heard(serve: Serve, path: Path) -> None:
    fault = Unavailable("too_many_connections", "64 clients are connected.", "Try again.")
    serve(lambda peer: peer.socket.sendall(wire.encode_error(None, fault)))
    with Client(path) as client, pytest.raises(Unavailable) as caught:
        client.call(calls.Ping())
    assert caught.value.code == "too_many_connections"


def test_something_that_speaks_another_protocol_is_named_as_that(serve: Serve, path: Path) -> None:
    serve(lambda peer: peer.request() and peer.socket.sendall(b"\xc1HTTP/1.1 400 Bad Request\r\n\r\n"))
    with Client(path) as client, pytest.raises(DaemonUnreachable) as caught:
        client.call(calls.Ping())
    assert "protocol" in caught.value.message


def test_an_answer_of_another_release_that_is_not_understood_says_so(serve: Serve, path: Path) -> None:
    serve(lambda peer: peer.answer({"version": 3}))
    with Client(path) as client, pytest.raises(Internal) as caught:
        client.call(calls.Ping())
    assert "golemctl version" in caught.value.hint


def test_news_and_late_answers_between_are_passed_over(serve: Serve, path: Path) -> None:
    def behave(peer: Peer) -> None:
        peer.socket.sendall(wire.encode_notification("event", {"follow": 9, "record": {}}))
        peer.socket.sendall(wire.encode_response(77, 0))
        peer.answer(PONG)

    serve(behave)
    with Client(path) as client:
        assert client.call(calls.Ping()) == PONG
