"""Following: notifications one by one, and records that go on after a lag and when the daemon comes back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from golemctl.client import Client, DaemonUnreachable, Disconnected
from golemctl.follow import Records, log_pieces
from golemd.api import calls, views, wire
from golemd.api.faults import NotFound, Unavailable
from tests.adapters.wire_server import Behaviour, Peer, Serve


def _event(msgid: int, seq: int) -> bytes:
    return wire.encode_notification("event", {"follow": msgid, "record": {"seq": seq, "type": "item.added"}})


def _follows(since: int, *seqs: int, then: Behaviour | None = None, asked: list[Any] | None = None) -> Behaviour:
    """Answer a follow, send records, then do something, else close."""

    def behave(peer: Peer) -> None:
        msgid, _, params = peer.request()
        if asked is not None:
            asked.append(params.get("since"))
        peer.socket.sendall(wire.encode_response(msgid, views.FollowStarted(since=since)))
        for seq in seqs:
            peer.socket.sendall(_event(msgid, seq))
        if then is not None:
            then(peer)

    return behave


def test_a_follow_gives_its_own_notifications_one_by_one_and_notices_the_end(serve: Serve, path: Path) -> None:
    def behave(peer: Peer) -> None:
        msgid, _, _ = peer.request()
        peer.socket.sendall(
            wire.encode_response(msgid, views.FollowStarted(since=3)) + _event(99, 1) + _event(msgid, 3)
        )

    serve(behave)
    following = Client(path).follow(calls.EventsFollow())
    assert following.started.since == 3
    notice = following.take(10)
    assert notice is not None
    assert (notice.method, notice.data["record"]["seq"]) == ("event", 3)
    with pytest.raises(Disconnected):
        following.take(10)
    following.close()


def test_a_follow_that_hears_nothing_answers_none_in_time(serve: Serve, path: Path) -> None:
    heard = threading.Event()
    serve(_follows(1, then=lambda peer: heard.wait(10)))
    following = Client(path).follow(calls.EventsFollow())
    assert following.take(0.01) is None
    heard.set()
    following.close()


def test_a_follow_that_is_refused_leaves_no_connection(serve: Serve, path: Path) -> None:
    def behave(peer: Peer) -> None:
        msgid, _, _ = peer.request()
        peer.socket.sendall(wire.encode_error(msgid, NotFound("item_not_found", "There is no WRK-9.")))
        assert peer.socket.recv(1) == b""

    serve(behave)
    with pytest.raises(NotFound):
        Client(path).follow(calls.EventsFollow(item="WRK-9"))


def test_records_go_on_where_they_were_when_the_daemon_comes_back(serve: Serve, path: Path) -> None:
    asked: list[Any] = []
    told: list[str] = []
    serve(_follows(5, 5, 6, asked=asked), _follows(7, 7, asked=asked, then=lambda peer: peer.socket.recv(1)))
    records = Records(lambda: Client(path), calls.EventsFollow(), told.append, between_tries=0)
    stream = iter(records)
    assert [next(stream)["seq"] for _ in range(3)] == [5, 6, 7]
    records.close()
    assert asked == [None, 7]
    assert [line.split()[1] for line in told] == ["has", "is"]


def test_records_after_a_lag_are_asked_for_again(serve: Serve, path: Path) -> None:
    asked: list[Any] = []

    def lags(peer: Peer) -> None:
        peer.socket.sendall(wire.encode_notification("lagged", {"follow": 1, "resume_seq": 9}))
        peer.socket.recv(1)

    serve(
        _follows(1, 1, asked=asked, then=lags),
        _follows(9, 9, asked=asked, then=lambda peer: peer.socket.recv(1)),
    )
    records = Records(lambda: Client(path), calls.EventsFollow(since=1), lambda line: None)
    stream = iter(records)
    assert [next(stream)["seq"] for _ in range(2)] == [1, 9]
    records.close()
    assert asked == [1, 9]


def test_a_daemon_that_stays_away_is_not_waited_for_for_ever(serve: Serve, path: Path) -> None:
    serve(_follows(1, 1))
    records = Records(lambda: Client(path), calls.EventsFollow(since=1), lambda line: None, patience=0, between_tries=1)
    assert records.take() is not None
    with pytest.raises(DaemonUnreachable) as caught:
        records.take()
    assert caught.value.code == "daemon_gone"
    assert "golemd" in caught.value.hint


def test_a_daemon_that_says_why_it_ends_a_follow_is_waited_for_too(serve: Serve, path: Path) -> None:
    def goes(peer: Peer) -> None:
        peer.socket.sendall(wire.encode_error(None, Unavailable("journal_failed", "The journal is closed.")))

    serve(_follows(1, 1, then=goes), _follows(2, 2, then=lambda peer: peer.socket.recv(1)))
    records = Records(lambda: Client(path), calls.EventsFollow(since=1), lambda line: None, between_tries=0)
    stream = iter(records)
    assert [next(stream)["seq"] for _ in range(2)] == [1, 2]
    records.close()


def _logs(offset: int, *texts: str, method: str = "", asked: list[Any]) -> Behaviour:
    """Answer a follow of logs, send pieces from an offset on, then perhaps one more notification; else close."""

    def behave(peer: Peer) -> None:
        msgid, _, params = peer.request()
        asked.append((params["id"], params.get("offset", 0)))
        peer.socket.sendall(wire.encode_response(msgid, views.FollowStarted(since=offset, attempt="WRK-1.1.build.1")))
        now = offset
        for text in texts:
            note = {"follow": msgid, "offset": now, "next": now + len(text), "text": text}
            peer.socket.sendall(wire.encode_notification("log", note))
            now += len(text)
        if method:
            peer.socket.sendall(wire.encode_notification(method, {"follow": msgid, "resume_seq": now}))
            peer.socket.recv(1)

    return behave


def test_logs_go_on_where_they_were_after_a_lag_and_when_the_daemon_comes_back(serve: Serve, path: Path) -> None:
    asked: list[Any] = []
    told: list[str] = []
    serve(
        _logs(0, "one ", "two ", method="lagged", asked=asked),
        _logs(8, "three ", asked=asked),
        _logs(14, "four", method="ended", asked=asked),
    )
    pieces = log_pieces(lambda: Client(path), calls.LogsFollow(id="WRK-1"), told.append, between_tries=0)
    assert "".join(piece["text"] for piece in pieces) == "one two three four"
    assert asked == [("WRK-1", 0), ("WRK-1.1.build.1", 8), ("WRK-1.1.build.1", 14)]
    assert told[0] == "WRK-1.1.build.1:"
    assert [line.split()[1] for line in told[1:]] == ["has", "is"]


def test_logs_of_a_daemon_that_stays_away_end_as_unreachable(serve: Serve, path: Path) -> None:
    serve(_logs(0, "one", asked=[]))
    pieces = log_pieces(
        lambda: Client(path), calls.LogsFollow(id="WRK-1"), lambda line: None, patience=0, between_tries=1
    )
    assert next(pieces)["text"] == "one"
    with pytest.raises(DaemonUnreachable):
        next(pieces)
