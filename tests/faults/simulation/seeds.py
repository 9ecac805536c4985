"""The proof: hundreds of lives of the daemon, each of them another one, and nothing that was promised is broken."""

from __future__ import annotations

from typing import Final

from golemd.api.model import GateKind
from tests.faults.proof import Tally
from tests.faults.simulation.seed import simulate

FRESH: Final = 1_000_000  # seeds of a long run are beyond this one
MUST_MEET: Final = (
    *("crashes of the daemon", "crashes at one operation", "crashes at a disk operation", "power cuts"),
    *("torn tails cut", "disk errors", "full disks", "clock jumps", "shims killed", "tokens repeated", "fences"),
    *(
        "records followed",
        "starts from a snapshot",
        "starts from a pruned journal",
        "times of little memory",
        "worktrees that vanish",
    ),
    *("attempts adopted", "attempts lost", "leftovers ended", "providers parked", "commits found again"),
    *("worktrees set aside", "worktrees brought back", "stops in good order: end", "stops in good order: keep"),
    *("halts: circuit_breaker", "halts: cap_reached", "halts: all_done_or_blocked", "halts: target_blocked"),
    *(f"gates: {kind}" for kind in GateKind),
)
"""What must have been met on the way: every kind of fault, and what is rare."""


def prove(tally: Tally) -> None:
    """Live one seed after the other: the promised ones are always the same, those after them are fresh."""
    number = 0
    while tally.goes_on:
        tally.case()
        fresh = FRESH * (1 + tally.budget.seed) if number >= tally.budget.cases else 0
        outcome = simulate(fresh + number)
        number += 1
        for thing, count in outcome.met.items():
            tally.meet(thing, count)
        again = f"python -m tests.faults.simulation --seed {outcome.seed}"
        for violation in outcome.violations[:1]:
            tally.violation(f"{violation}\n    {again}")
    tally.must_have_met(MUST_MEET)
