"""golemctl as people and scripts meet it: whole processes, from the fork to the exit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.contest import Contest, Row
from tests.bench.history import add_items
from tests.bench.place import Place
from tests.path.house import House

TIMES: Final = 3  # each command in a turn; their median counts
LIVE: Final = 100  # items of a long backlog that are not done

COMMANDS: Final = ("ping", "status", "show WRK-1", "why WRK-1", "add something", "events --item WRK-1")


def commands(place: Place) -> Contest:
    """The slowest of golemctl's everyday commands, as a whole process.

    golemctl: `ping`, `status`, `show`, `why`, `add` and `events` against a golemd with a few items; the figure of a
    turn is the slowest command's. Peers: the same Python doing nothing (`python -c pass`), which golemctl cannot
    undercut, and `supervisorctl status`, which asks a daemon and prints a line. Fair: the same way of starting a
    process, output to /dev/null, every command run three times in a turn, of which the median counts. supervisorctl
    runs on Debian's Python, which is built with optimizations that this one may lack.
    """
    house = place.house()
    project = house.project()
    for _ in range(10):
        project.add()
    supervisor = place.supervisor()
    turns = [
        lambda: {"golemctl": max(_golemctl(house, command) for command in COMMANDS)},
        lambda: {"python": _whole([sys.executable, "-c", "pass"], house.env)},
        lambda: {"supervisorctl": _whole(["supervisorctl", "-c", str(supervisor.config), "status"], dict(os.environ))},
    ]
    work = "slowest golemctl command"
    rows = [
        Row(f"{work}, python -c pass", "ms", "golemctl", 8.0, 5.0, peer="python", less=True),
        Row(f"{work}, supervisorctl status", "ms", "golemctl", 0.7, 0.4, peer="supervisorctl", less=True),
    ]
    return Contest(turns, rows)


def status_of_many(place: Place) -> Contest:
    """`golemctl status`, as a whole process, of a backlog of thousands of items.

    Two backlogs: one in which all but a hundred items are cancelled, as after a year of nights, and one in which
    every item is live and is listed. No peer: the bound is how soon a person wants to see something. Output to
    /dev/null; golemd makes the answer anew each time.
    """
    items = place.size.items
    old, full = (backlog(place, items, live) for live in (min(LIVE, items), items))
    turns = [partial(_status, "old", old), partial(_status, "full", full)]
    work = f"golemctl status, {items:,} items"
    rows = [
        Row(f"{work}, {min(LIVE, items)} live", "ms", "old", 150.0, 60.0, less=True),
        Row(f"{work}, all live", "ms", "full", 150.0, 60.0, less=True),
    ]
    return Contest(turns, rows)


def backlog(place: Place, items: int, live: int) -> House:
    """A running golemd with so many items, all but `live` of them cancelled, and nothing dispatched."""
    house = place.house()
    house.project()
    house.stop()
    add_items(house.state, "demo", items, live)
    return house.start("--log-level", "warning")


def _status(name: str, house: House) -> dict[str, float]:
    return {name: _golemctl(house, "status")}


def _golemctl(house: House, command: str) -> float:
    program = Path(sys.executable).with_name("golemctl")
    env = house.env | {"GOLEMD_SOCKET": str(house.socket)}
    env.pop("PYTHONPATH")  # as it is installed
    return _whole([str(program), *command.split()], env, house.root / "demo")


def _whole(command: Sequence[str], env: dict[str, str], cwd: Path | None = None) -> float:
    """Milliseconds from the start to the exit."""
    took = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env, cwd=cwd)
        took.append((time.perf_counter() - begun) * 1000)
    return median(took)
