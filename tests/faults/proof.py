"""What every proof counts and finds: `python -m tests.faults` runs them all, `proofs` lists them.

A proof looks at a number of cases, each of which may be a violation. It also says which rare things it must have met on
the way: a proof that never reached a torn end has not shown that torn ends are cut.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

TOLD: Final = 20  # violations are all counted, and told up to so many


class Budget(Struct, frozen=True):
    """How long to go on: for at least so many cases, and so many seconds. The seed fixes the dice.

    A `brief` proof is over with that number of cases, or with the first violation, whatever it has not met by then.
    """

    cases: int
    seconds: float = 0.0
    seed: int = 0
    brief: bool = False


class Skipped(Exception):
    """A proof cannot be given on this machine. Its argument says why."""


class Enough(BaseException):
    """A brief proof is over. Nothing on the way may take it for a fault."""


class Tally:
    """What one proof has counted so far."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.cases = 0
        self.violated = 0
        self.violations: list[str] = []
        self.met: Counter[str] = Counter()
        self._until = time.monotonic() + budget.seconds

    @property
    def goes_on(self) -> bool:
        """Whether there is still something to look at within the budget."""
        return self.cases < self.budget.cases or time.monotonic() < self._until

    def case(self, count: int = 1) -> None:
        """One more case is looked at. Raises Enough."""
        if self.budget.brief and self.cases >= self.budget.cases:
            raise Enough
        self.cases += count

    def violation(self, what: str) -> None:
        """A promise was broken. Raises Enough."""
        self.violated += 1
        if len(self.violations) < TOLD:
            self.violations.append(what)
        if self.budget.brief:
            raise Enough

    def expect(self, holds: bool, what: str) -> bool:
        """A promise: broken unless it holds. Raises Enough."""
        if not holds:
            self.violation(what)
        return holds

    def meet(self, what: str, count: int = 1) -> None:
        """Something rare was met."""
        self.met[what] += count

    def must_have_met(self, things: Iterable[str]) -> None:
        """At the end: what was never met was not proved. A brief proof need not have met all."""
        for thing in () if self.budget.brief else things:
            self.expect(self.met[thing] > 0, f"never met: {thing}")
