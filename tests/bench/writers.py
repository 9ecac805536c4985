"""Writers in a process of their own: `python -m tests.bench.writers KIND FOLDER WRITERS SECONDS`.

Prints records per second. Each kind makes records of RECORD_BYTES durable, one after the other and writer by writer,
for as long as it is told.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from golemd.adapters.clock import SystemClock
from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Journal
from golemd.adapters.journal.limits import Limits
from golemd.api import events as ev
from golemd.api.events import Draft
from golemd.api.model import Status
from golemd.core.evolve import fold
from golemd.core.state import State

RECORD_BYTES: Final = 300
FILLER_BYTES: Final = 25  # with which the record of an edited item has RECORD_BYTES


def golemd(folder: Path, writers: int, seconds: float) -> float:
    """Tasks that stage an event, fold it and wait until it is durable, as the engine does for every command."""
    return trio.run(_golemd, folder, writers, seconds)


async def _golemd(folder: Path, writers: int, seconds: float) -> float:
    state = State()
    count = 0
    journal = await Journal.open(folder, RealDisk(), SystemClock().now_us, Limits(), lambda record: None)

    async def append(draft: Draft) -> None:
        (record,) = journal.stage((draft,))
        fold(state, record)
        await journal.durable(record.seq)

    async def write(draft: Draft) -> None:
        nonlocal count
        while time.perf_counter() < deadline:
            await append(draft)
            count += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        for number in range(writers):
            added = ev.ItemAdded(title="something", number=number, status=Status.READY, pipeline="feature")
            await append(Draft(added, "demo", f"WRK-{number}"))
        begun = time.perf_counter()
        deadline = begun + seconds
        async with trio.open_nursery() as all_writers:
            for number in range(writers):
                edited = ev.ItemEdited(description="x" * FILLER_BYTES)
                all_writers.start_soon(write, Draft(edited, "demo", f"WRK-{number}"))
        took = time.perf_counter() - begun
        await journal.aclose()
        nursery.cancel_scope.cancel()
    return count / took


def ideal(folder: Path, writers: int, seconds: float) -> float:
    """One thread that writes the records of all writers at once and syncs them, with nothing else to do."""
    batch = b"x" * RECORD_BYTES * writers
    file = os.open(folder / "ideal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def once() -> None:
        os.write(file, batch)
        os.fdatasync(file)

    return _over(once, seconds) * writers


def sqlite(folder: Path, writers: int, seconds: float) -> float:
    """One transaction a record, WAL, synchronous FULL. It lets one writer in at a time: one alone is the fastest."""
    database = sqlite3.connect(folder / "sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, record BLOB)")
    record = b"x" * RECORD_BYTES
    return _over(lambda: database.execute("INSERT INTO records (record) VALUES (?)", (record,)), seconds)


def eventsourcing(folder: Path, writers: int, seconds: float) -> float:
    """Its SQLite recorder alone, without aggregates and mapping, and one writer, for the same reason as SQLite."""
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(folder / "eventsourcing")))
    recorder.create_table()
    item, state = uuid.uuid4(), b"x" * RECORD_BYTES
    version = 0

    def once() -> None:
        nonlocal version
        version += 1
        recorder.insert_events([StoredEvent(item, version, "item.edited", state)])

    return _over(once, seconds)


def _over(once: Callable[[], object], seconds: float) -> float:
    """How often per second."""
    count = 0
    begun = time.perf_counter()
    deadline = begun + seconds
    while time.perf_counter() < deadline:
        once()
        count += 1
    return count / (time.perf_counter() - begun)


KINDS: Final[dict[str, Callable[[Path, int, float], float]]] = {
    "golemd": golemd,
    "ideal": ideal,
    "sqlite": sqlite,
    "eventsourcing": eventsourcing,
}


def main() -> None:
    kind, folder, writers, seconds = sys.argv[1:]
    print(json.dumps(KINDS[kind](Path(folder), int(writers), float(seconds))))


if __name__ == "__main__":
    main()
