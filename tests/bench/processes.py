"""Attempts: how fast they start, what they cost while they run, how soon their end is known."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any, Final

from golemctl.client import Following
from golemd.api import calls
from tests.bench.contest import Contest, Row
from tests.bench.place import Place
from tests.bench.proc import memory, own_memory, ran
from tests.path.repositories import phase

PROGRAM: Final = ("/bin/sleep", "100000")  # what every attempt runs


class Fleet:
    """A golemd with so many items in a phase whose agent is PROGRAM, and nothing dispatched yet."""

    def __init__(self, place: Place, attempts: int) -> None:
        self.attempts = attempts
        self.house = place.house(max_agents=attempts, max_concurrent_runs=attempts)
        execution = {"max_wip": attempts, "max_concurrent": attempts, "max_retries": 10, "workspace": "shared"}
        sleeper = {"sleeper": {"kind": "command", "command": list(PROGRAM)}}
        self.project = self.house.project(phases=[phase(agent="sleeper")], execution=execution, agents=sleeper)
        for _ in range(attempts):
            self.project.add()

    def start(self) -> float:
        """Dispatch; the seconds until every item's attempt runs and its identity is durable."""
        with self._records() as records:
            begun = time.perf_counter()
            self.project.run(cap=10 * self.attempts)
            _count(records, "attempt.spawned", self.attempts)
            return time.perf_counter() - begun

    def stop(self) -> None:
        """End the dispatch and all its attempts; their next start begins with their launch."""
        with self._records() as records:
            self.house.call(calls.RunStop(project=self.project.name, now=True))
            _count(records, "attempt.rejected", self.attempts)

    def pids(self) -> dict[str, int]:
        """Running attempts and their programs."""
        return {each.id: each.pid or 0 for each in self.house.call(calls.Status()).attempts}

    def shims(self) -> list[int]:
        """The processes that watch the programs."""
        programs = set(self.pids().values())
        return [pid for pid in self.house.left() if pid not in programs]

    def kill(self, programs: Sequence[tuple[str, int]]) -> Iterator[float]:
        """Kill programs, one after the other; the seconds until its end is durable and a follower has heard of it."""
        with self._records() as records:
            for attempt, pid in programs:
                begun = time.perf_counter()
                os.kill(pid, signal.SIGKILL)
                _reach(records, "attempt.exited", attempt)
                yield time.perf_counter() - begun
                _reach(records, "attempt.rejected", attempt)

    @contextmanager
    def _records(self) -> Iterator[Iterator[dict[str, Any]]]:
        """What becomes durable from now on."""
        following = self.house.client.follow(calls.EventsFollow(since=self.house.seq + 1))
        try:
            yield _taken(following)
        finally:
            following.close()


def starts(place: Place) -> Contest:
    """Attempts started per second, beside a loop that starts the same program.

    golemd: a dispatch of many items whose phases have begun: every attempt is planned (durable), gets a folder, a
    prompt and a shim, its identity is made durable by the shim, the program runs, and that is recorded (durable).
    From the dispatch to the last record. Peer: `subprocess.Popen` of the same program, that often, in a loop. Fair:
    the same program and number on the same machine; the loop neither watches nor remembers what it starts, and is
    what there is without golemd.
    """
    fleet = _running(Fleet(place, place.size.attempts))
    turns = [partial(_golemd_starts, fleet), partial(_popen_starts, place.size.attempts)]
    row = Row("attempts started, loop of subprocess.Popen", "/s", "golemd", 0.02, 0.1, peer="popen")
    return Contest(turns, [row])


def ends(place: Place) -> Contest:
    """From the end of a program to its durable record, half of the time.

    golemd: an attempt's program is killed; timed until a client that follows the journal has read `attempt.exited`,
    which it is sent only when the record is durable. The shim sees the end, looks for descendants, makes its own
    record durable and exits; the daemon wakes, reads it and makes its record durable. The next program is killed when
    what this one left has been examined, which costs several runs of git and is not timed. No peer: none records the
    end.
    """
    fleet = _running(Fleet(place, place.size.attempts))
    row = Row("end of a program to its durable record, p50", "ms", "p50", 20.0, 5.0, less=True)
    return Contest([partial(_ends, fleet, place.size.ends)], [row])


def shims(place: Place) -> Contest:
    """The memory of one shim, many at once: its proportional set size, in which users divide the pages they share.

    golemd: attempts whose program sleeps; the sum over their shims, by their number. No peer: the bound says how many
    agents a laptop can supervise.
    """
    fleet = _running(Fleet(place, place.size.attempts))
    row = Row(f"shim's own memory (PSS), {place.size.attempts} at once", "MB", "pss", 4.0, 1.0, less=True)
    return Contest([partial(_shim_memory, fleet)], [row])


def idle_attempts(place: Place) -> Contest:
    """What a thousand attempts that do nothing cost the daemon.

    golemd: its private memory with all of them running, less what it was with the same items waiting, by their
    number; and its time on a processor over some seconds. supervisord: as many programs, the same `sleep`, over the
    same seconds. Fair: both run at the same time on the same machine; both supervise the same programs, and neither
    is asked anything. What golemd's shims cost is in `shims`.
    """
    attempts = place.size.idle_attempts
    fleet = Fleet(place, attempts)
    before = own_memory(fleet.house.pid)
    _running(fleet)
    each = (own_memory(fleet.house.pid) - before) / attempts
    supervisor = place.supervisor(attempts, " ".join(PROGRAM))
    pids = {"golemd": fleet.house.pid, "supervisord": supervisor.pid}
    turns = [lambda: {"kB": each, **_idle_cpu(place.size.idle_seconds, pids)}]
    rows = [
        Row(f"daemon's memory for each of {attempts:,} idle attempts", "kB", "kB", 24.0, 12.0, less=True),
        Row(
            f"CPU, {attempts:,} idle attempts, supervisord",
            "ms/min",
            "golemd",
            0.3,
            0.15,
            peer="supervisord",
            less=True,
        ),
    ]
    return Contest(turns, rows)


def _running(fleet: Fleet) -> Fleet:
    fleet.start()
    return fleet


def _golemd_starts(fleet: Fleet) -> dict[str, float]:
    fleet.stop()
    return {"golemd": fleet.attempts / fleet.start()}


def _popen_starts(attempts: int) -> dict[str, float]:
    started: list[subprocess.Popen[bytes]] = []
    begun = time.perf_counter()
    try:
        for _ in range(attempts):
            started += [subprocess.Popen(PROGRAM, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)]
        return {"popen": attempts / (time.perf_counter() - begun)}
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def _ends(fleet: Fleet, count: int) -> dict[str, float]:
    left = list(fleet.pids().items())  # none is started again, so that never more than half of them are killed
    victims = left[: min(count, (len(left) + 1) // 2)]
    return {"p50": median(fleet.kill(victims)) * 1000}


def _shim_memory(fleet: Fleet) -> dict[str, float]:
    found = [memory(pid)["Pss"] for pid in fleet.shims()]
    return {"pss": sum(found) / len(found) / 1024}


def _idle_cpu(seconds: float, pids: dict[str, int]) -> dict[str, float]:
    """Milliseconds a minute that each process is on a processor."""
    before = {name: ran(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    return {name: (ran(pid).seconds - before[name].seconds) / seconds * 60_000 for name, pid in pids.items()}


def _taken(following: Following) -> Iterator[dict[str, Any]]:
    while (notice := following.take()) is not None:
        yield notice.data["record"]


def _reach(records: Iterator[dict[str, Any]], kind: str, attempt: str) -> None:
    """Read until the record of a kind about an attempt has come."""
    next(record for record in records if record["type"] == kind and record["data"]["attempt"] == attempt)


def _count(records: Iterator[dict[str, Any]], kind: str, wanted: int) -> None:
    """Read until so many records of a kind have come."""
    seen = 0
    while seen < wanted:
        seen += next(records)["type"] == kind
