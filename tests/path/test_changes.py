"""Changing calls of many clients at once: each is told what it did, nobody waits for ever, a stop answers all."""

from __future__ import annotations

import select
import signal
import socket
from typing import Any

import msgspec
import pytest

from golemd.api import calls
from golemd.api.wire import Framer, Message, Response, encode_request
from tests.path.ground import GUARD_SECONDS
from tests.path.house import House

CALLS = 30


class Raw:
    """A client that sends without waiting for answers."""

    def __init__(self, daemon: House) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(GUARD_SECONDS)
        self._socket.connect(str(daemon.socket))
        self._framer = Framer()

    def send(self, *requests: bytes) -> None:
        self._socket.sendall(b"".join(requests))

    def answers(self) -> list[Response]:
        """All answers up to the end of the connection."""
        found: list[Message] = []
        while data := self._socket.recv(1 << 16):
            self._framer.feed(data)
            while (message := self._framer.next_message()) is not None:
                found.append(message)
        return [message for message in found if isinstance(message, Response)]

    def has_answer(self) -> bool:
        """Whether something has come that nobody has taken yet."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def finish(self) -> list[Response]:
        """Send no more; the answers that are still to come."""
        self._socket.shutdown(socket.SHUT_WR)
        try:
            return self.answers()
        finally:
            self.close()

    def close(self) -> None:
        self._socket.close()


def adding(number: int, token: str = "") -> bytes:
    return encode_request(number, "item.add", {"title": f"thing {number}", "token": token})


def test_each_of_many_is_answered_with_its_own_item_in_the_order_of_the_records(daemon: House) -> None:
    daemon.project()
    clients = [Raw(daemon) for _ in range(4)]
    for start in range(0, CALLS, 10):
        for client in clients:
            client.send(*(adding(number) for number in range(start, start + 10)))
    given = [client.finish() for client in clients]
    for answers in given:
        assert [answer.msgid for answer in answers] == list(range(CALLS))
        titles = [msgspec.msgpack.decode(answer.result)["title"] for answer in answers]
        assert titles == [f"thing {number}" for number in range(CALLS)]
    ids = [msgspec.msgpack.decode(answer.result)["id"] for answers in given for answer in answers]
    assert len(set(ids)) == 4 * CALLS


def test_a_refusal_among_changes_holds_up_none_of_them(daemon: House) -> None:
    daemon.project()
    client = Raw(daemon)
    client.send(adding(1), encode_request(2, "item.edit", {"id": "WRK-99", "title": "nobody"}), adding(3))
    answers = {answer.msgid: answer for answer in client.finish()}
    assert answers[2].error is not None
    assert answers[2].error.code == "item_not_found"
    assert [answers[number].error for number in (1, 3)] == [None, None]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("item.add", {"title": "another", "token": "same"}),
        ("item.edit", {"id": "WRK-1", "token": "same"}),
        ("journal.prune", {"before": "never"}),  # refused while facts are fetched
    ],
)
def test_a_refusal_is_told_when_what_it_rests_on_is_durable(daemon: House, method: str, params: dict[str, Any]) -> None:
    """Otherwise a power cut could take back what the refusal has told of."""
    daemon.project()
    client = Raw(daemon)
    client.send(
        *(adding(number, "same" if number == 1 else "") for number in range(8)), encode_request(8, method, params)
    )
    answers = client.finish()
    assert [answer.msgid for answer in answers] == list(range(9))
    assert answers[8].error is not None


def test_one_token_twice_at_once_has_one_effect_and_the_same_answer(daemon: House) -> None:
    daemon.project()
    client = Raw(daemon)
    client.send(adding(1, "same"), adding(1, "same"))
    first, second = (msgspec.msgpack.decode(answer.result) for answer in client.finish())
    assert first["id"] == second["id"] == "WRK-1"
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert len(daemon.records("item.added")) == 1


def test_what_was_decided_before_a_stop_is_answered(daemon: House) -> None:
    daemon.project()
    client = Raw(daemon)
    client.send(*(adding(number) for number in range(CALLS)))
    daemon.call(calls.Ping())
    daemon.signal(signal.SIGTERM)
    answers = client.answers()
    client.close()
    assert daemon.wait() == 0
    daemon.start()
    told = [msgspec.msgpack.decode(answer.result)["id"] for answer in answers if answer.error is None]
    assert told == [record["item"] for record in daemon.records("item.added")]
    assert {answer.error.code for answer in answers if answer.error} <= {"stopping"}
