"""What an attempt's outcome costs, and what comes then: the table of the domain, one row each.

A row with a `budget` is tried again after a pause until `bound` says no; a row without one opens a gate at once, or
(CANCELLED) costs nothing. `put_back`: the tree is kept under a ref and put back to the phase's start first.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from golemd.api.config import Execution
from golemd.api.config import Phase as PhaseDefinition
from golemd.api.model import Outcome, Phase

MAX_TRANSIENT_IN_ROW: Final = 10
MAX_LOST_IN_ROW: Final = 3
BACK_OFF_FIRST_US: Final = 5_000_000
BACK_OFF_LAST_US: Final = 300_000_000


class Row(Struct, frozen=True):
    """One outcome's consequences."""

    budget: str  # retry | transient | lost | fix | "" (a gate at once)
    put_back: bool = False
    pause: bool = True


PARK_FIRST_US: Final = 15 * 60_000_000
PARK_LAST_US: Final = 5 * 3600 * 1_000_000


def parked_until(streak: int, reset_us: int, now_us: int) -> int:
    """When a limited provider is tried again: at its reset, or after 15 min · 2ⁿ, at most 5 h, when it names none."""
    return reset_us if reset_us > now_us else now_us + min(PARK_FIRST_US << min(streak, 16), PARK_LAST_US)


_RETRY: Final = Row("retry", put_back=True)
ROWS: Final[dict[str, Row]] = {
    Outcome.FAILED: _RETRY,
    Outcome.NO_RESULT: _RETRY,
    Outcome.BAD_RESULT: _RETRY,
    Outcome.TIMEOUT: _RETRY,
    Outcome.OUTPUT_LIMIT: _RETRY,
    Outcome.OUT_OF_MEMORY: _RETRY,
    Outcome.TRANSIENT: Row("transient"),
    Outcome.BUDGET: Row(""),
    Outcome.UNUSABLE: Row(""),
    Outcome.IDENTITY: Row(""),
    Outcome.HISTORY: Row(""),
    Outcome.SETUP: Row(""),
    Outcome.NESTED: Row("fix", pause=False),
    "lost": Row("lost", pause=False),
    "verify": Row("fix", pause=False),
}


class Verdict(Struct, frozen=True):
    """What follows: `exhausted` opens a gate, otherwise it is tried again at `again_us`."""

    spends: str
    exhausted: bool
    again_us: int
    put_back: bool


def judge(outcome: str, phase: Phase, definition: PhaseDefinition, execution: Execution, now_us: int) -> Verdict:
    """The consequences of an outcome, given what its phase has spent so far."""
    row = ROWS[outcome]
    if not row.budget:
        return Verdict("", exhausted=True, again_us=0, put_back=False)
    spent, bound = _budget(row.budget, phase, definition, execution)
    exhausted = spent >= bound
    pause = min(BACK_OFF_FIRST_US << min(spent, 16), BACK_OFF_LAST_US) if row.pause else 0
    again_us = 0 if exhausted or not pause else now_us + pause
    return Verdict(row.budget, exhausted, again_us, row.put_back)


def _budget(budget: str, phase: Phase, definition: PhaseDefinition, execution: Execution) -> tuple[int, int]:
    retries = execution.max_retries if definition.max_retries is None else definition.max_retries
    return {
        "retry": (phase.retries, retries),
        "transient": (phase.transient_in_row, MAX_TRANSIENT_IN_ROW),
        "lost": (phase.lost_in_row, MAX_LOST_IN_ROW),
        "fix": (phase.fixes, execution.max_fix_attempts),
    }[budget]
