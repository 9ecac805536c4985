"""Reading a long history back, in a process of its own: `python -m tests.bench.replays KIND FOLDER`.

Prints events per second, and the peak memory above what is left at the end, in megabytes.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from golemd.adapters.clock import SystemClock
from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Journal
from golemd.adapters.journal.limits import Limits
from golemd.api.events import Record
from golemd.core.evolve import fold
from golemd.core.state import State


def golemd(folder: Path) -> tuple[float, object]:
    """As the daemon starts: every line decoded, its hash and its place in the chain checked, folded into the state."""
    state = State()

    def take(record: Record) -> None:
        fold(state, record)

    async def replay() -> None:
        journal = await Journal.open(folder, RealDisk(), SystemClock().now_us, Limits(), take)
        await journal.aclose()

    begun = time.perf_counter()
    trio.run(replay)
    return state.seq / (time.perf_counter() - begun), state


class _Line(msgspec.Struct):
    """A record as a program would read it that keeps its records in SQLite."""

    seq: int
    ts: str
    type: str
    project: str
    item: str
    data: dict[str, Any]


def sqlite(folder: Path) -> tuple[float, object]:
    """A scan of a table in which each row holds one line, decoded by msgspec."""
    database = sqlite3.connect(folder / "sqlite")
    decode = msgspec.json.Decoder(_Line).decode
    count = 0
    begun = time.perf_counter()
    for (line,) in database.execute("SELECT record FROM records ORDER BY seq"):
        decode(line)
        count += 1
    return count / (time.perf_counter() - begun), None


def eventsourcing(folder: Path) -> tuple[float, object]:
    """Its notifications, mapped to events, which are applied to their aggregates."""
    from tests.bench.aggregate import application

    app = application(folder)
    aggregates: dict[object, object] = {}
    count = start = 0
    begun = time.perf_counter()
    while notifications := app.recorder.select_notifications(start + 1, 1000):
        for notification in notifications:
            event = app.mapper.to_domain_event(notification)
            aggregates[event.originator_id] = event.mutate(aggregates.get(event.originator_id))
            count += 1
        start = notifications[-1].id
    return count / (time.perf_counter() - begun), aggregates


KINDS: Final[dict[str, Callable[[Path], tuple[float, object]]]] = {
    "golemd": golemd,
    "sqlite": sqlite,
    "eventsourcing": eventsourcing,
}


def main() -> None:
    rate, state = KINDS[sys.argv[1]](Path(sys.argv[2]))
    peak = _status_mb("VmHWM")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed and kept is no part of the state
    print(json.dumps({"rate": rate, "above": peak - _status_mb("VmRSS")}))
    del state


def _status_mb(name: str) -> float:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.split(f"{name}:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
