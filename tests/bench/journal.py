"""Durable records: golemd's journal beside redis, SQLite, eventsourcing, and a file with nothing around it."""

from __future__ import annotations

import csv
import subprocess
from functools import partial
from typing import Final

from tests.bench.contest import Contest, Row, Turn
from tests.bench.place import Place
from tests.bench.writers import RECORD_BYTES

REDIS_PER_SECOND: Final = 100_000  # about, of as many clients as there are; only for the length of a turn
TARGETS: Final = {"redis": (1.0, 1.3), "sqlite": (12.0, 16.0), "eventsourcing": (14.0, 20.0)}
NAMES: Final = {"redis": "redis XADD always", "sqlite": "SQLite WAL FULL", "eventsourcing": "eventsourcing"}


def append(place: Place) -> Contest:
    """Durable appends by many writers at once, of records of about 300 bytes, with flushes as they are and slower.

    golemd: tasks in one process, each of which stages an event in the journal (number, time, hash chain, JSON), folds
    it into the state and waits until it is durable: what the engine does for a command, without the socket. The
    journal's line has 300 bytes. redis: as many connections of redis-benchmark, its own generator in C, each an XADD
    of one field of 300 bytes, `appendfsync always`, over a Unix socket. It shares flushes between clients, as golemd
    does. SQLite, eventsourcing: one transaction a record of 300 bytes. They let one writer in at a time, so one
    writer in a loop, without threads, is the fastest that they can do. ideal: a single thread that writes as many
    records of 300 bytes in one piece as there are writers, and syncs.

    Fair: the same record size, one fdatasync before anybody is told, the same file system, and the same slower flush
    (LD_PRELOAD) for all. What golemd does more (chain, decoding what it wrote, state) counts against golemd.
    """
    clients = place.size.clients
    kinds = ("golemd", "ideal", "sqlite", "eventsourcing")
    turns: list[Turn] = []
    rows: list[Row] = []
    for flush in place.size.flushes:
        turns += [partial(_write, place, kind, clients, flush) for kind in kinds]
        turns.append(partial(_redis_benchmark, place, flush))
        work = f"durable append, {clients} writers{slower(flush)}"
        ours = f"golemd{flush}"
        rows += [
            Row(f"{work}, {NAMES[peer]}", "/s", ours, floor, goal, peer=f"{peer}{flush}")
            for peer, (floor, goal) in TARGETS.items()
        ]
        floor, goal = (0.6, 0.8) if flush == 1 else (None, None)
        rows.append(Row(f"{work}, ideal batch", "/s", ours, floor, goal, peer=f"ideal{flush}"))
    return Contest(turns, rows)


def one_writer(place: Place) -> Contest:
    """Durable appends by one writer, each waiting for the one before, with flushes as they are and slower.

    golemd: as in `append`, with one task. Raw: write 300 bytes and fdatasync, in a loop. Fair: the same bytes, file
    system and flush; what is more on golemd's side is what a journal must do. Nobody can be faster than the raw loop.
    """
    turns = [partial(_write, place, kind, 1, flush) for flush in place.size.flushes for kind in ("golemd", "ideal")]
    rows = [
        Row(f"durable append, 1 writer{slower(f)}, write + fdatasync", "/s", f"golemd{f}", 0.6, 0.85, peer=f"ideal{f}")
        for f in place.size.flushes
    ]
    return Contest(turns, rows)


def _write(place: Place, kind: str, writers: int, flush: int) -> dict[str, float]:
    with place.room() as room:
        rate = room.ask("writers", kind, room.folder(), writers, place.size.seconds, env=place.slow(flush))
    return {f"{kind}{flush}": rate}


def _redis_benchmark(place: Place, flush: int) -> dict[str, float]:
    clients = place.size.clients
    expected = min(REDIS_PER_SECOND, clients * 1000 / (flush + 0.2)) * place.size.seconds
    request = ["XADD", "records", "*", "record", "x" * RECORD_BYTES]
    with place.room() as room:
        path = room.redis(place.slow(flush))
        command = ["redis-benchmark", "-s", path, "-c", clients, "-n", max(1, round(expected)), "--csv", *request]
        done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    heads, figures = csv.reader(done.stdout.splitlines()[-2:])
    return {f"redis{flush}": float(dict(zip(heads, figures, strict=True))["rps"])}


def slower(flush: int) -> str:
    """The flush's part of a row's name."""
    return f", flush +{flush} ms" if flush else ""
