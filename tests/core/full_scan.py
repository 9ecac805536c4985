"""The oracle of index and scheduler: the same questions, answered by looking at everything there is.

Slow, and so plain that it can be believed: the index must equal what is found here after every record, and what is
chosen by way of the index must be what is chosen by looking at each item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from golemd.api.model import ATTEMPT_OVER, ENDED, RUN_OVER, AttemptState, EndedItem, Item, Project, Status
from golemd.core import mandate
from golemd.core.commands import Launch, Promote
from golemd.core.exclusion import Shared
from golemd.core.guardrails import exceeded
from golemd.core.index import LAUNCHED, counts_as_wip, launch_order, promotion_order
from golemd.core.scheduler import starts_phase, waits_for
from golemd.core.slots import Limits, Tally, holds_slot
from golemd.core.state import State


def index_of(state: State) -> dict[str, Any]:
    """What the index must hold, without its empty parts."""
    found: dict[str, Any] = {
        "attempts": [each.id for each in state.attempts.values() if each.state not in ATTEMPT_OVER],
        "spawned": {each.id: each.run for each in state.attempts.values() if each.state is AttemptState.SPAWNED},
        "gates": [each.id for each in state.gates.values() if each.is_open],
        "runs": [
            each.id for each in state.runs.values() if each.state not in RUN_OVER or each.tidy or not each.reported
        ],
        "with_run": {each.id for each in state.items.values() if each.status not in ENDED and each.run in state.runs},
        "paid_for": set(),
    }
    for name in ("counts", "wip", "ready", "kinds", "launchable", "dependants"):
        found[name] = {}
    known: list[Item | EndedItem] = [*state.items.values(), *state.ended.values()]
    for each in known:
        counts = found["counts"].setdefault(each.project, {})
        counts[each.status] = counts.get(each.status, 0) + 1
    for item in state.items.values():
        _add(state, item, found)
    for name in ("ready", "launchable"):
        found[name] = {project: sorted(entries) for project, entries in found[name].items()}
    return found


def _add(state: State, item: Item, found: dict[str, Any]) -> None:
    if counts_as_wip(item):
        found["wip"][item.project] = found["wip"].get(item.project, 0) + 1
    for dependency in item.dependencies:
        found["dependants"].setdefault(dependency, set()).add(item.id)
    if item.is_held or state.unmet(item):
        return
    if item.status is Status.READY:
        found["ready"].setdefault(item.project, []).append((promotion_order(item), item.id))
        found["kinds"].setdefault(item.project, {}).setdefault((item.assessments, item.approved), set()).add(item.id)
    if item.status in LAUNCHED:
        order = launch_order(item, state.run_of(item))
        found["launchable"].setdefault(item.project, []).append((order, item.id))
        if item.spent_usd or item.spent_tokens:
            found["paid_for"].add(item.id)


def kept_index(state: State) -> dict[str, Any]:
    """What the index holds, without its empty parts and in the same form."""
    index = state.index
    found: dict[str, Any] = {name: list(getattr(index, name)) for name in ("attempts", "gates", "runs")}
    found["with_run"], found["spawned"] = set(index.with_run), dict(index.spawned)
    found["paid_for"] = set(index.paid_for)
    counts = {project: {s: n for s, n in each.items() if n} for project, each in index.counts.items()}
    kinds = {project: {k: set(ids) for k, ids in each.items()} for project, each in index.kinds.items()}
    found["counts"] = {project: each for project, each in counts.items() if each}
    found["kinds"] = {project: each for project, each in kinds.items() if each}
    found["wip"] = {project: number for project, number in index.wip.items() if number}
    for name in ("ready", "launchable"):
        found[name] = {project: list(each) for project, each in getattr(index, name).items() if each}
    found["dependants"] = {item: set(each) for item, each in index.dependants.items() if each}
    return found


def orders(state: State) -> dict[str, Any]:
    """What the index holds, in the orders in which it holds it."""
    index = state.index
    found: dict[str, Any] = {name: list(getattr(index, name)) for name in ("with_run", "paid_for")}
    found["dependants"] = {item: list(each) for item, each in index.dependants.items()}
    return found | {name: list(getattr(index, name)) for name in ("attempts", "gates", "runs")}


def select_actions(
    state: State, limits: Limits, now_us: int, foreign: frozenset[str] = frozenset()
) -> list[Promote | Launch]:
    """What to start now, chosen by looking at every item."""
    tally = Tally(state.index.wip, slots(state), [])
    agents, runs = sum(tally.slots.values()), sum(tally.wip.values())
    actions: list[Promote | Launch] = []
    queues = []
    for project in sorted(state.projects.values(), key=lambda project: state.turns.get(project.name, 0)):
        if not project.dispatch.on or project.name in foreign:
            continue
        asking, ready = _ready(state, project)
        room = min(state.config_of(project.name).execution.max_wip - tally.wip.get(project.name, 0), 10**9)
        room = max(min(room, limits.max_concurrent_runs - runs), 0)
        promoted = sorted(ready, key=promotion_order)[:room]
        runs += len(promoted)
        actions += [Promote(item=item.id) for item in (*asking, *promoted)]
        queues.append(_launches(state, project, {item.id for item in promoted}, tally, now_us))
    while queues and agents < limits.max_agents:
        for queue in list(queues):
            item = next(queue, None)
            if item is None:
                queues.remove(queue)
            elif agents < limits.max_agents:
                agents += 1
                actions.append(Launch(item=item.id))
    return actions


def slots(state: State) -> dict[str, int]:
    """Slots held, by project, counted run by run."""
    holding = {run.id for _, run in state.live_runs() if holds_slot(state, run)}
    holding |= {each.run for each in state.attempts.values() if each.state is AttemptState.SPAWNED}
    return Counter(state.runs[run].project for run in holding)


@contextmanager
def looking_everywhere(state: State) -> Iterator[None]:
    """What is planned meanwhile is planned without passing over the runs for which a process works."""
    spawned = state.index.spawned
    over = {attempt: run for attempt, run in spawned.items() if state.runs[run].state in RUN_OVER}
    state.index.spawned = over  # their slots are counted by nothing else
    try:
        yield
    finally:
        state.index.spawned = spawned


def _ready(state: State, project: Project) -> tuple[list[Item], list[Item]]:
    guardrails = state.config_of(project.name).guardrails
    asking: list[Item] = []
    ready: list[Item] = []
    for item in state.items_of(project.name):
        free = item.status is Status.READY and not item.is_held and not state.unmet(item)
        if free and mandate.admits(state, project, item):
            (asking if exceeded(guardrails, item.assessments, item.approved) else ready).append(item)
    return sorted(asking, key=lambda item: item.order), ready


def _launches(state: State, project: Project, promoted: set[str], tally: Tally, now_us: int) -> Iterator[Item]:
    free = state.config_of(project.name).execution.max_concurrent - tally.slots.get(project.name, 0)
    starts_left = project.dispatch.cap - project.dispatch.used
    shared = Shared(state, project.name)
    candidates = [
        item
        for item in state.items_of(project.name)
        if (item.status in LAUNCHED or item.id in promoted)
        and (not starts_phase(state, item) or mandate.admits(state, project, item))
        and waits_for(state, item, now_us) is None
    ]
    for item in sorted(candidates, key=lambda item: launch_order(item, state.run_of(item))):
        if free <= 0:
            return
        if starts_phase(state, item):
            if starts_left <= 0 or not shared.take(item):
                continue
            starts_left -= 1
        free -= 1
        yield item
