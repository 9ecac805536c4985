"""The table of outcomes, cell by cell."""

from __future__ import annotations

from typing import Final

import pytest

from golemd.api.config import Execution
from golemd.api.config import Phase as Definition
from golemd.api.model import Outcome, Phase
from golemd.core.outcomes import MAX_LOST_IN_ROW, MAX_TRANSIENT_IN_ROW, ROWS, judge, parked_until

NOW: Final = 1_000_000_000
EXECUTION: Final = Execution(max_retries=2, max_fix_attempts=3)
FIELDS: Final = {"retry": "retries", "fix": "fixes", "lost": "lost_in_row", "transient": "transient_in_row"}
RETRIED: Final = ("retry", 2, True, True)
TABLE: Final[dict[str, tuple[str, int, bool, bool]]] = {
    # outcome: budget, bound, pause, put back
    Outcome.FAILED: RETRIED,
    Outcome.NO_RESULT: RETRIED,
    Outcome.BAD_RESULT: RETRIED,
    Outcome.TIMEOUT: RETRIED,
    Outcome.OUTPUT_LIMIT: RETRIED,
    Outcome.OUT_OF_MEMORY: RETRIED,
    Outcome.TRANSIENT: ("transient", MAX_TRANSIENT_IN_ROW, True, False),
    "lost": ("lost", MAX_LOST_IN_ROW, False, False),
    "verify": ("fix", 3, False, False),
    Outcome.NESTED: ("fix", 3, False, False),
}


def test_the_table_is_whole() -> None:
    at_once = {Outcome.BUDGET, Outcome.UNUSABLE, Outcome.IDENTITY, Outcome.HISTORY, Outcome.SETUP}
    assert set(TABLE) | at_once == set(ROWS)
    assert set(Outcome) - set(ROWS) == {Outcome.CANCELLED, Outcome.LIMIT}, "they cost nothing"
    assert (MAX_TRANSIENT_IN_ROW, MAX_LOST_IN_ROW) == (10, 3)


@pytest.mark.parametrize("outcome", TABLE)
@pytest.mark.parametrize("spent", range(12))
def test_each_outcome_is_tried_again_until_its_bound(outcome: str, spent: int) -> None:
    budget, bound, pauses, put_back = TABLE[outcome]
    phase = Phase("build", **{FIELDS[budget]: spent})  # type: ignore[arg-type]  # all of them are numbers
    verdict = judge(outcome, phase, Definition("build"), EXECUTION, NOW)
    assert (verdict.spends, verdict.put_back, verdict.exhausted) == (budget, put_back, spent >= bound)
    pause = min(5 * 2**spent, 300) * 1_000_000
    assert verdict.again_us == (NOW + pause if pauses and spent < bound else 0)


@pytest.mark.parametrize("outcome", [Outcome.BUDGET, Outcome.UNUSABLE, Outcome.IDENTITY, Outcome.HISTORY])
def test_what_trying_again_cannot_help_asks_at_once(outcome: str) -> None:
    verdict = judge(outcome, Phase("build"), Definition("build"), EXECUTION, NOW)
    assert (verdict.spends, verdict.exhausted, verdict.again_us, verdict.put_back) == ("", True, 0, False)


def test_the_pause_has_an_end_however_much_was_spent() -> None:
    verdict = judge("failed", Phase("build", retries=10_000), Definition("build", max_retries=20_000), EXECUTION, NOW)
    assert verdict.again_us == NOW + 300_000_000


@pytest.mark.parametrize(
    ("streak", "minutes"), [(0, 15), (1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (10_000, 300)]
)
@pytest.mark.parametrize("reset_us", [0, NOW])
def test_a_limit_without_a_reset_to_come_is_waited_for_longer_and_longer(
    streak: int, minutes: int, reset_us: int
) -> None:
    assert parked_until(streak, reset_us, NOW) == NOW + minutes * 60_000_000


def test_a_limit_is_waited_for_until_its_reset() -> None:
    assert parked_until(3, NOW + 1, NOW) == NOW + 1
