"""The journal's writer, and the daemon, killed as they enter a system call: what was told of is there all the same."""

from __future__ import annotations

import random
from typing import Final

from tests.faults.proof import Tally
from tests.faults.real import points
from tests.faults.real.places import KILLED
from tests.faults.real.tracing import Point

ANSWERS: Final = "sendto,sendmsg"
MUST_BE_MET: Final = (
    *(f"killed at {call}" for call in ("write", "pwrite64", "fdatasync", "fsync", "rename", "sendto", "ftruncate")),
    "points of the daemon",
)


def inject(point: Point, dice: random.Random) -> str:
    return f"{point[0]}:signal=SIGKILL:when={point[1]}"


def seen(tally: Tally, point: Point, status: int) -> None:
    if status == KILLED:
        tally.meet(f"killed at {point[0]}")
    else:
        tally.meet("points that were not reached")


def prove(tally: Tally) -> None:
    """Until the budget is used up; most of the points must be reached, for threads do not always do the same."""
    points.prove(tally, points.Plan(f"{points.CHANGES},{ANSWERS}", inject, (0, KILLED), seen))
    missed = tally.met["points that were not reached"]
    tally.expect(missed < max(4, tally.cases // 4), f"{missed} of {tally.cases} points were not reached")
    tally.must_have_met(MUST_BE_MET)
