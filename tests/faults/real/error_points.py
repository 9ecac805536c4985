"""The journal's writer, and the daemon, whose system calls fail as a broken or full disk makes them.

What was told of is there all the same, and whoever could not write says so and ends.
"""

from __future__ import annotations

import random
from typing import Final

from tests.faults.proof import Tally
from tests.faults.real import points
from tests.faults.real.tracing import Point

CODES: Final = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "ENOMEM")
FAILED: Final = 74
UNUSABLE: Final = 78  # before there is a journal to fail
FATAL: Final = ("write", "pwrite64", "fdatasync")
MUST_BE_MET: Final = (*(f"{call} ended it" for call in FATAL), "lives that went on", "points of the daemon")


def inject(point: Point, dice: random.Random) -> str:
    return f"{point[0]}:error={dice.choice(CODES)}:when={point[1]}{dice.choice(('', '+'))}"


def seen(tally: Tally, point: Point, status: int) -> None:
    tally.meet(f"{point[0]} ended it" if status else "lives that went on")


def prove(tally: Tally) -> None:
    """Until the budget is used up."""
    points.prove(tally, points.Plan(points.CHANGES, inject, (0, FAILED, UNUSABLE), seen))
    tally.must_have_met(MUST_BE_MET)
