"""Starting: how fast a history is read back, what that takes, how soon the first answer comes."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from golemd.api.wire import encode_request
from tests.bench import history, load
from tests.bench.aggregate import write as write_aggregates
from tests.bench.contest import Contest, Row, Turn
from tests.bench.place import Place, Supervisor, end, until
from tests.bench.writers import RECORD_BYTES
from tests.path.house import House


def replay(place: Place) -> Contest:
    """A checked replay of a long history, beside peers that read theirs; and the memory that it takes above the state.

    golemd: what every start does: each line decoded into its type, its hash and the chain checked, folded into the
    state (a process of its own, without the start of Python). redis: from the start of redis-server until it answers,
    with as many `XADD` of 300 bytes in its log. SQLite: a scan of as many rows of 300 bytes, each decoded by msgspec.
    eventsourcing: its SQLite notifications, mapped and applied to their aggregates, on fewer events, for it is slow.
    Fair: the same number and size of events, all files in the page cache. Only golemd checks what it reads, and only
    golemd, redis and eventsourcing have a state at the end.
    """
    events, items = place.size.events, place.size.items
    folders = {kind: place.folder() for kind in ("golemd", "redis", "sqlite", "eventsourcing")}
    history.write(folders["golemd"], history.edits(events, items))
    _write_sqlite(folders["sqlite"], folders["golemd"])
    _write_redis(place, folders["redis"], events)
    write_aggregates(folders["eventsourcing"], place.size.slow_events, items)
    turns = [partial(_replay, place, kind, folders[kind]) for kind in ("golemd", "sqlite", "eventsourcing")]
    turns.append(partial(_load_redis, place, folders["redis"], events))
    work = f"replay of {events:,} events"
    rows = [
        Row(f"{work}, redis AOF load", "/s", "golemd", 0.5, 0.8, peer="redis"),
        Row(f"{work}, SQLite scan + decode", "/s", "golemd", 0.5, 0.8, peer="sqlite"),
        Row(f"{work}, eventsourcing", "/s", "golemd", 4.0, 6.0, peer="eventsourcing"),
        Row("peak memory of that replay above the state", "MB", "golemd above", 16.0, 8.0, less=True),
    ]
    return Contest(turns, rows)


def first_answer(place: Place) -> Contest:
    """From the start of the daemon's process to its first answer: with nothing to replay, and after a long history.

    golemd: until a client's `ping` is answered; the client tries every millisecond. The history is of many nights:
    each item has some dozens of records and then ends, as nearly all of them have; it was stopped in good order, so
    there is a snapshot. supervisord: until `getState` is answered in the same way, with one program and no history, for
    it keeps none. Fair: both are Python programs that read a configuration and listen; this one's Python may lack the
    optimizations of Debian's, on which supervisord runs.
    """
    empty, full = place.house(), _with_history(place)
    for house in (empty, full.start("--log-level", "warning")):
        house.stop()
    golemd: list[Turn] = [partial(_golemd_start, empty, "empty"), partial(_golemd_start, full, "snapshot")]
    rows = [
        Row("start to first answer, nothing to replay, supervisord", "ms", "empty", 2.0, 1.2, "supervisord", less=True),
        Row(_after(place, "with snapshot"), "ms", "snapshot", 2.0, 1.2, "supervisord", less=True),
    ]
    return Contest([*golemd, _supervisord(place)], rows)


def replayed_answer(place: Place) -> Contest:
    """The same after a history without any snapshot, as when another release of golemd has just been installed.

    golemd and supervisord: as in `first_answer`, but for the snapshots, which are removed before every start.
    """
    golemd = partial(_golemd_start, _with_history(place), "replay", replay=True)
    return Contest(
        [golemd, _supervisord(place)], [Row(_after(place, "replayed"), "ms", "replay", peer="supervisord", less=True)]
    )


def _with_history(place: Place) -> House:
    """A golemd that is stopped and has a long history."""
    house = place.house()
    name = house.project().name
    house.stop()
    history.write(house.state, history.nights(place.size.events, name))
    return house


def _after(place: Place, how: str) -> str:
    return f"start to first answer, {place.size.events:,} events {how}, supervisord"


def _supervisord(place: Place) -> Turn:
    return partial(_supervisor_start, Supervisor(place.folder(), 1))


def _replay(place: Place, kind: str, folder: Path) -> dict[str, float]:
    found = place.ask("replays", kind, folder)
    return {kind: found["rate"], f"{kind} above": found["above"]}


def _write_sqlite(folder: Path, state: Path) -> None:
    """The journal's own lines, one a row."""
    with sqlite3.connect(folder / "sqlite") as database:
        database.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, record BLOB)")
        for segment in sorted((state / "journal").glob("*.jsonl")):
            with open(segment, "rb") as lines:
                database.executemany("INSERT INTO records (record) VALUES (?)", ((line,) for line in lines))
    database.close()


def _write_redis(place: Place, folder: Path, events: int) -> None:
    with place.room() as room:
        path = room.redis(folder=folder)
        command = ["redis-benchmark", "-s", path, "-c", 50, "-P", 100, "-n", events, "-q"]
        request = ["XADD", "records", "*", "record", "x" * RECORD_BYTES]
        subprocess.run([*map(str, command), *request], check=True, stdout=subprocess.DEVNULL)


def _load_redis(place: Place, folder: Path, events: int) -> dict[str, float]:
    with place.room() as room:
        begun = time.perf_counter()
        room.redis(folder=folder)
        return {"redis": events / (time.perf_counter() - begun)}


def _golemd_start(house: House, figure: str, *, replay: bool = False) -> dict[str, float]:
    for snapshot in (house.state / "snapshots").glob("*") if replay else ():
        snapshot.unlink()
    command = house.command("--log-level", "warning")
    return {figure: _until_answered(command, house.socket, encode_request(1, "ping", {}), house.env)}


def _supervisor_start(supervisor: Supervisor) -> dict[str, float]:
    asked = load.xml_request("supervisor.getState")
    return {"supervisord": _until_answered(supervisor.command, supervisor.socket, asked, dict(os.environ))}


def _until_answered(command: Sequence[str], path: Path, request: bytes, env: dict[str, str]) -> float:
    """Milliseconds from the start of a server's process to the first bytes that it answers. It is ended again."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
    try:
        until(lambda: _answers(path, request), process)
        return (time.perf_counter() - begun) * 1000
    finally:
        end(process)


def _answers(path: Path, request: bytes) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        if client.connect_ex(str(path)):
            return False
        client.sendall(request)
        return bool(client.recv(load.PIECE))
