"""What is looked up in the state: kept by fold, item by item, so that a question costs what it is about and no more.

Everything here follows from the nouns and could be found by looking at all of them; a property test does that after
every record. The lists of the scheduler hold what time cannot change: which items wait for nothing but room, in their
order. Whether a provider is parked or a back-off runs is asked of the first ones when they are about to be taken.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from msgspec import Struct

from golemd.api.model import (
    ATTEMPT_OVER,
    ENDED,
    RUN_OVER,
    Assessments,
    Attempt,
    AttemptState,
    EndedItem,
    Gate,
    Item,
    Run,
    Status,
)

LAUNCHED: Final = (Status.IN_PROGRESS, Status.SCOPING, Status.NEW)
"""Items of which something can be launched, in the order in which they get slots."""
_LEVELS: Final = {"high": 0, "medium": 1, "low": 2, "": 3}

INDEXED_OF_ITEMS: Final = frozenset(
    {
        *("status", "priority", "dependencies", "assessments", "approved", "run", "paused", "order", "project"),
        *("spent_usd", "spent_tokens"),
    }
)
INDEXED_OF_RUNS: Final = frozenset({"state", "tidy", "reported", "index"})
"""Fields that the index depends on; a change of others does not touch it."""

Order = tuple[int, ...]
Kind = tuple[Assessments, Assessments]  # what an item was assessed as, and up to where a human let it pass


def launch_order(item: Item, run: Run | None) -> Order:
    """In progress before scoping before triage; furthest first; then priority; then age."""
    position = run.index if run is not None else 0
    return LAUNCHED.index(item.status) if item.status in LAUNCHED else 0, -position, -item.priority, item.order


def promotion_order(item: Item) -> Order:
    """By priority, then impact, then age."""
    return -item.priority, _LEVELS.get(item.assessments.impact, 3), item.order


def counts_as_wip(item: Item) -> bool:
    """Only items in progress count; blocked and paused ones hold no place."""
    return item.status is Status.IN_PROGRESS and not item.is_held


class _Entry(Struct, frozen=True):
    """What the index holds of one live item. `promotion`, `launch`: its place in those lists, if it has one."""

    has_run: bool = False
    is_wip: bool = False
    promotion: Order | None = None
    kind: Kind | None = None
    launch: Order | None = None
    is_paid_for: bool = False
    dependencies: tuple[str, ...] = ()


_NOTHING: Final = _Entry()


class Index:
    """Ids, by what they are looked up for; dicts without values are sets that keep their order."""

    def __init__(self) -> None:
        self.attempts: dict[str, None] = {}  # that are not over
        self.spawned: dict[str, str] = {}  # those of them that have a process → their runs
        self.gates: dict[str, None] = {}  # that are open
        self.runs: dict[str, None] = {}  # of which something is still to be done
        self.with_run: dict[str, None] = {}  # items that have not ended and have a run
        self.counts: dict[str, dict[Status, int]] = {}  # project → status → items, ended ones included
        self.wip: dict[str, int] = {}  # project → items that count as work in progress
        self.ready: dict[str, list[tuple[Order, str]]] = {}  # project → items that only wait for promotion, in order
        self.kinds: dict[str, dict[Kind, dict[str, None]]] = {}  # the same items by what they were assessed as
        self.launchable: dict[str, list[tuple[Order, str]]] = {}  # project → items of which the next step can come
        self.paid_for: dict[str, None] = {}  # items of those on which something was spent
        self.dependants: dict[str, dict[str, None]] = {}  # item, known or not → live items that depend on it
        self._entries: dict[str, _Entry] = {}

    # --- nouns that are kept one by one ----------------------------------------------------------------------------

    def take_attempt(self, attempt: Attempt) -> None:
        _keep(self.attempts, attempt.id, attempt.state not in ATTEMPT_OVER)
        if attempt.state is AttemptState.SPAWNED:
            self.spawned[attempt.id] = attempt.run
        else:
            self.spawned.pop(attempt.id, None)

    def take_gate(self, gate: Gate) -> None:
        _keep(self.gates, gate.id, gate.is_open)

    def take_run(self, run: Run) -> None:
        _keep(self.runs, run.id, run.state not in RUN_OVER or run.tidy or not run.reported)

    def drop(self, child: str) -> None:
        """A run, attempt or gate has been put away with its item."""
        for ids in (self.attempts, self.gates, self.runs):
            ids.pop(child, None)

    # --- items -----------------------------------------------------------------------------------------------------

    def count(self, project: str, before: Status | None, now: Status | None) -> None:
        """An item has gone from one status to another; None where it was not, or is not any more."""
        counts = self.counts.setdefault(project, {})
        for status, change in ((before, -1), (now, 1)):
            if status is not None:
                counts[status] = counts.get(status, 0) + change

    def take_item(self, item: Item, run: Run | None, *, met: bool) -> None:
        """A live item is as it is now; `met`: it waits for no dependency."""
        self._replace(item.id, item.project, _entry(item, run, met=met))

    def drop_item(self, item: Item | EndedItem) -> None:
        """An item has been put away; it still counts."""
        self._replace(item.id, item.project, _NOTHING)

    def _replace(self, item: str, project: str, new: _Entry) -> None:
        old = self._entries.pop(item, _NOTHING)
        if new is not _NOTHING:
            self._entries[item] = new
        if new == old:
            return
        _keep(self.with_run, item, new.has_run)
        _keep(self.paid_for, item, new.is_paid_for)
        self.wip[project] = self.wip.get(project, 0) + new.is_wip - old.is_wip
        _move(self.ready.setdefault(project, []), item, old.promotion, new.promotion)
        _move(self.launchable.setdefault(project, []), item, old.launch, new.launch)
        self._sort_by_kind(item, project, old.kind, new.kind)
        for dependency in old.dependencies:
            self.dependants[dependency].pop(item, None)
        for dependency in new.dependencies:
            self.dependants.setdefault(dependency, {})[item] = None

    def _sort_by_kind(self, item: str, project: str, old: Kind | None, new: Kind | None) -> None:
        kinds = self.kinds.setdefault(project, {})
        if old is not None:
            del kinds[old][item]
            if not kinds[old]:
                del kinds[old]
        if new is not None:
            kinds.setdefault(new, {})[item] = None


def _entry(item: Item, run: Run | None, *, met: bool) -> _Entry:
    if item.status in ENDED:
        return _Entry(dependencies=item.dependencies)
    free = met and not item.is_held
    launchable = free and item.status in LAUNCHED
    promoted_next = free and item.status is Status.READY
    return _Entry(
        has_run=run is not None,
        is_wip=counts_as_wip(item),
        promotion=promotion_order(item) if promoted_next else None,
        kind=(item.assessments, item.approved) if promoted_next else None,
        launch=launch_order(item, run) if launchable else None,
        is_paid_for=launchable and bool(item.spent_usd or item.spent_tokens),
        dependencies=item.dependencies,
    )


def _keep(ids: dict[str, None], key: str, wanted: bool) -> None:
    if wanted:
        ids.setdefault(key)
    else:
        ids.pop(key, None)


def _move(ordered: list[tuple[Order, str]], item: str, old: Order | None, new: Order | None) -> None:
    if old == new:
        return
    if old is not None:
        del ordered[bisect_left(ordered, (old, item))]
    if new is not None:
        insort(ordered, (new, item))
