"""Rounds in turn, medians, ratios and verdicts: the arithmetic of the benchmarks.

A benchmark is a Contest: turns that are played one after the other, round for round (A B C … A B C …), so that
whatever else the machine does meets all of them alike. Each turn answers named figures. A row sets one of them beside
another, or beside a fixed bound. Its ratio is the median of the ratios of the rounds, not the ratio of the medians:
what was measured side by side is compared side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final

from msgspec import Struct

Figures = dict[str, list[float]]
Turn = Callable[[], Mapping[str, float]]

GOAL: Final = "goal"
FLOOR: Final = "floor"
MISSED: Final = "MISSED"
UNJUDGED: Final = "not judged"


class Row(Struct, frozen=True):
    """One line of the table. `ours` and `peer` name figures; without a peer, floor and goal are in the figure's unit.

    `less`: the smaller figure is the better one. Without floor and goal the row is shown and not judged.
    """

    work: str
    unit: str
    ours: str
    floor: float | None = None
    goal: float | None = None
    peer: str = ""
    less: bool = False


class Contest(Struct, frozen=True):
    """What is measured against what."""

    turns: Sequence[Turn]
    rows: Sequence[Row]


class Result(Struct, frozen=True):
    """A row with what was measured. `ours`, `theirs` are medians; `ratio` is ours to theirs; `verdict` one of four."""

    row: Row
    ours: float
    theirs: float | None
    ratio: float | None
    verdict: str


def play(contest: Contest, rounds: int, told: Callable[[int], None] = lambda number: None) -> list[Result]:
    """Play all rounds and judge the rows. `told` hears the number of each round before it begins."""
    figures: Figures = {}
    for number in range(rounds):
        told(number)
        for turn in contest.turns:
            for name, figure in turn().items():
                figures.setdefault(name, []).append(figure)
    return [judge(row, figures) for row in contest.rows]


def judge(row: Row, figures: Figures) -> Result:
    """A row's medians, ratio and verdict."""
    ours = figures[row.ours]
    if not row.peer:
        return Result(row, median(ours), None, None, verdict(row, median(ours)))
    theirs = figures[row.peer]
    ratio = median(mine / its if its else float("inf") for mine, its in zip(ours, theirs, strict=True))
    return Result(row, median(ours), median(theirs), ratio, verdict(row, ratio))


def verdict(row: Row, figure: float) -> str:
    """Which of the row's targets a ratio, or a figure without a peer, reaches."""
    for name, target in ((GOAL, row.goal), (FLOOR, row.floor)):
        if target is not None and (figure <= target if row.less else figure >= target):
            return name
    return UNJUDGED if row.floor is None else MISSED
