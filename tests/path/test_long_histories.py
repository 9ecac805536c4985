"""Whoever asks for something that takes much reading holds nobody up."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

import pytest

from golemctl.client import Connection
from golemd.api import calls
from tests.path.ground import GUARD_SECONDS
from tests.path.house import House
from tests.path.repositories import Project

ITEM = "WRK-1"
EDITS = 200
READINGS: dict[str, Callable[[House], calls.Call[Any]]] = {
    "a past status": lambda house: calls.Status(at=house.seq),
    "an ended item": lambda house: calls.ItemShow(id=ITEM),
    "its logs": lambda house: calls.LogsRead(id=ITEM),
    "following its logs": lambda house: calls.LogsFollow(id=ITEM),
    "its report": lambda house: calls.ReportShow(id=ITEM),
    "an export": lambda house: calls.Export(),
}


@pytest.fixture
def long(daemon: House, demo: Project) -> House:
    """A daemon with an item that was worked on and edited often, and has ended."""
    item = demo.work('[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]')
    assert item == ITEM
    daemon.until("gate.opened", item)
    demo.halted()
    for number in range(EDITS):
        daemon.call(calls.ItemEdit(id=item, description=f"{number}" + "x" * 90_000))
    edited = daemon.seq
    daemon.call(calls.ItemCancel(id=item))
    daemon.until("report.written", item, since=edited + 1)
    return daemon


@pytest.mark.parametrize("reading", READINGS)
def test_others_are_answered_meanwhile(long: House, reading: str) -> None:
    assert max(_pings_meanwhile(long, READINGS[reading](long)) for _ in range(5)) > 8, "it is not read in slices"


def _pings_meanwhile(daemon: House, call: calls.Call[Any]) -> int:
    """How many calls are answered while another one is: the first few, if that is done in one go."""
    asking = Connection(daemon.socket, time.monotonic() + GUARD_SECONDS)
    try:
        asking.send(calls.Ping(), None)
        asking.receive(None)  # from now on the daemon reads what comes here at once
        asking.send(call, None)
        pings = 0
        while not select.select([asking], [], [], 0)[0]:
            daemon.call(calls.Ping())
            pings += 1
        return pings
    finally:
        asking.close()
