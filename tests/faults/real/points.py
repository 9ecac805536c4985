"""The points of a life: every system call that it makes at files, and at whoever is told. At one strace intervenes.

Most are points of the `writer`, which appends, flushes, tells and takes snapshots like a daemon; some of the daemon.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.faults.proof import Skipped, Tally
from tests.faults.real import daemon
from tests.faults.real.places import Place, Writers
from tests.faults.real.tracing import Point, points_of, traced
from tests.faults.rig import rig, strace

CHANGES: Final = "write,pwrite64,fdatasync,fsync,rename,renameat,ftruncate,fallocate,symlink,unlink,unlinkat,mkdir"
LIVES: Final = 12  # of writers on one state folder
DAEMONS: Final = 20  # of so many points one is the daemon's


class Plan(Struct, frozen=True):
    """What strace does at which points: the system calls, its rule for a point, how a life may end then, and who counts
    what has come of it."""

    calls: str
    inject: Callable[[Point, random.Random], str]
    ends: Collection[int]
    seen: Callable[[Tally, Point, int], None]


def prove(tally: Tally, plan: Plan) -> None:
    """Points of daemons, then of writers, until the budget is used up."""
    if shutil.which("strace") is None:
        raise Skipped("stopping a process at a system call needs strace")
    dice = random.Random(tally.budget.seed)
    if count := tally.budget.cases // DAEMONS:
        with rig() as at:
            _at_daemons(tally, plan, daemon.Place(at, plan.ends), dice, count)
    with Writers() as writers:
        while tally.goes_on and not tally.violated:
            with tempfile.TemporaryDirectory(prefix="golem-points-") as folder:
                _at_writers(tally, plan, Place(writers, Path(folder) / "state", tally), dice)


def _at_daemons(tally: Tally, plan: Plan, place: daemon.Place, dice: random.Random, count: int) -> None:
    points = place.points(plan.calls)
    for point in dice.sample(points, min(count, len(points))):
        tally.case()
        plan.seen(tally, point, place.live(strace(plan.inject(point, dice), trace=point[0])))
        place.look()
        tally.meet("points of the daemon")
    for violation in place.model.violations:
        tally.violation(f"the daemon: {violation}")
    tally.expect(bool(place.model.acknowledged), "nothing was acknowledged")


def _at_writers(tally: Tally, plan: Plan, place: Place, dice: random.Random) -> None:
    how = {"at_once": dice.choice((1, 2, 3, 6)), "text_bytes": dice.choice((10, 40, 900))}
    output = place.state.parent / "trace"
    with traced(plan.calls, output=output) as attach:
        tally.expect(place.live(attach, **how) == 0, "a life without faults did not end well")
    points = points_of(output)
    for point in dice.sample(points, min(LIVES, len(points))):
        tally.case()
        rule = plan.inject(point, dice)
        with traced(point[0], rule) as attach:
            status = place.live(attach, **how)
        tally.expect(status in plan.ends, f"{rule}: it ended with {status}")
        place.quiet(rule)
        plan.seen(tally, point, status)
        place.start_again(rule)
        if not tally.goes_on:
            return
