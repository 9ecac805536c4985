"""Doing nothing, which should cost nothing."""

from __future__ import annotations

import time

from tests.bench.client import backlog
from tests.bench.contest import Contest, Row
from tests.bench.place import Place
from tests.bench.proc import ran
from tests.path.house import House


def idle(place: Place) -> Contest:
    """A daemon with thousands of live items, nothing dispatched and nobody asking: how often and how long it wakes.

    golemd: what the kernel counts of all its threads over some seconds: how often one was put on a processor, and the
    time that they spent there, by the minute. No service manager asks for signs of life here. No peer: the bound is 0.
    """
    house = backlog(place, place.size.items, place.size.items)
    house.seq  # noqa: B018 - the connection is made before the measurement
    work = f"idle, {place.size.items:,} items"
    rows = [
        Row(f"{work}: wake-ups", "/s", "wakes", 0.0, 0.0, less=True),
        Row(f"{work}: CPU", "ms/min", "cpu", 5.0, 1.0, less=True),
    ]
    return Contest([lambda: _watched(house, place.size.idle_seconds)], rows)


def _watched(house: House, seconds: float) -> dict[str, float]:
    before = ran(house.pid)
    time.sleep(seconds)
    after = ran(house.pid)
    return {"wakes": (after.times - before.times) / seconds, "cpu": (after.seconds - before.seconds) / seconds * 60_000}
