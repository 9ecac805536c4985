"""Budgets in money and tokens: what they are, what is left of them, and when they hold something up.

An item's budget counts over all of its runs; a phase's within its run; both ask a human when they are spent. That of a
day is the project's, in UTC and by the configuration in force; it asks nobody, since it is over by itself. Each is
looked at before an agent is started; what is left then is that agent's own limit. So only what agents at work at the
same time spend together can go over a day's.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from golemd.api.config import Phase as PhaseDefinition
from golemd.api.model import Item, Phase, Run, Status
from golemd.core import mandate, times
from golemd.core.index import LAUNCHED
from golemd.core.slots import busy
from golemd.core.state import State

LEAST_USD: Final = 0.000001
"""Less than this is nothing: sums of what programs report are not exact."""

ITEM_USD: Final = "item_usd"
ITEM_TOKENS: Final = "item_tokens"
PHASE_USD: Final = "budget_usd"
DAY_USD: Final = "day_usd"


class Budget(Struct, frozen=True):
    """One limit and what was spent of it: dollars, or tokens. `scope`: its key in golem.toml."""

    scope: str
    spent: float
    limit: float

    @property
    def left(self) -> float:
        return max(0.0, self.limit - self.spent)

    @property
    def is_spent(self) -> bool:
        return self.left < (1 if self.scope == ITEM_TOKENS else LEAST_USD)

    def amount(self, value: float) -> str:
        """A value of it in words."""
        return f"{int(value):,} tokens" if self.scope == ITEM_TOKENS else f"${value:.2f}"

    def __str__(self) -> str:
        """`$5.02 of $5.00`."""
        return f"{self.amount(self.spent)} of {self.amount(self.limit)}"


# --- what there is -----------------------------------------------------------------------------------------------


def of_item(state: State, item: Item, usd: float = 0.0, tokens: int = 0) -> list[Budget]:
    """The item's own limits. `usd`, `tokens`: what was spent on it and is not recorded yet."""
    run = state.run_of(item)
    budget = state.config_of(item.project).budget if run is None else state.configs[run.config_digest].budget
    found = []
    if budget.item_usd:
        found.append(Budget(ITEM_USD, item.spent_usd + usd, budget.item_usd + item.raised_usd))
    if budget.item_tokens:
        found.append(Budget(ITEM_TOKENS, item.spent_tokens + tokens, budget.item_tokens + item.raised_tokens))
    return found


def of_phase(definition: PhaseDefinition, phase: Phase, usd: float = 0.0) -> list[Budget]:
    """The limit of a phase within its run."""
    limit = definition.budget_usd
    return [Budget(PHASE_USD, phase.spent_usd + usd, limit + phase.raised_usd)] if limit else []


def of_day(state: State, project: str, now_us: int, usd: float = 0.0) -> list[Budget]:
    """The limit of a project's day."""
    limit = state.config_of(project).budget.day_usd
    return [Budget(DAY_USD, spent_on(state, project, now_us) + usd, limit)] if limit else []


def is_today(stamp: str, now_us: int) -> bool:
    """Whether a recorded moment is of the same day as this one."""
    return stamp[:10] == times.stamp(now_us)[:10]


def spent_on(state: State, project: str, now_us: int) -> float:
    """What a project has spent on the day of a moment, in dollars."""
    return state.spent.get(times.stamp(now_us)[:10], {}).get(project, 0.0)


def before_start(state: State, item: Item, usd: float = 0.0, tokens: int = 0) -> list[Budget]:
    """The limits that ask a human, as they stand before the item's next agent is started."""
    run = state.run_of(item)
    return of_item(state, item, usd, tokens) + ([] if run is None else of_phase(*coming(item, run), usd))


def spent_before_start(state: State, item: Item) -> Budget | None:
    """The first of those limits of which nothing is left."""
    return spent_out(before_start(state, item)) if item.spent_usd or item.spent_tokens else None


def coming(item: Item, run: Run) -> tuple[PhaseDefinition, Phase]:
    """The phase that is under way or next; an item in progress passes over what was to scope it."""
    first = run.pipeline.promoted_at if item.status is Status.IN_PROGRESS else 0
    at = min(max(run.index, first), len(run.phases) - 1)
    return run.pipeline.all_phases[at], run.phases[at]


def spent_out(budgets: list[Budget]) -> Budget | None:
    """The first of them of which nothing is left."""
    return next((budget for budget in budgets if budget.is_spent), None)


# --- what follows ------------------------------------------------------------------------------------------------


def asks(state: State, item: Item) -> bool:
    """Whether the item's next agent would be started now, but for a spent budget that a human may raise."""
    if item.status not in LAUNCHED or item.is_held or spent_before_start(state, item) is None:
        return False
    run = state.run_of(item)
    if run is None:
        project = state.projects[item.project]
        goes_on = project.dispatch.on and mandate.admits(state, project, item)
    else:
        goes_on = not busy(run) and run.index < len(run.phases)
    return goes_on and not state.unmet(item)


def day_is_spent(state: State, project: str, now_us: int) -> Budget | None:
    """The project's budget of the day, when nothing is left of it."""
    limits = of_day(state, project, now_us)
    return spent_out(limits) if limits else None


def left_usd(state: State, item: Item, now_us: int) -> float:
    """The most that the item's agent may spend, as its program takes it: 0 is no limit, so nothing left is a trifle."""
    limits = [each for each in before_start(state, item) if each.scope != ITEM_TOKENS]
    limits += of_day(state, item.project, now_us)
    return max(LEAST_USD, min(each.left for each in limits)) if limits else 0.0


def left_tokens(state: State, item: Item) -> int | None:
    """What is left of the item's tokens; None without a limit."""
    return next((int(each.left) for each in of_item(state, item) if each.scope == ITEM_TOKENS), None)


def in_words(budget: Budget, item: str, phase: str) -> str:
    """Who has spent how much of which limit."""
    who = f"{item} has" if budget.scope != PHASE_USD else f"The phase {phase} of {item} has"
    return f"{who} spent {budget} ({budget.scope})"
