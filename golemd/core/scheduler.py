"""Which item is worked on next: `select_actions`, pure and deterministic; and `why`, the same rules in words.

One project at a time, with a dispatch that is on: promote ready items while there is room in progress, then fill the
free slots with those that are furthest. Nothing here knows what a process is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from heapq import merge

from msgspec import Struct

from golemd.api.model import ENDED, Item, PhaseState, Project, Run, Status
from golemd.api.words import count
from golemd.core import budgets, mandate, times
from golemd.core.commands import Launch, Promote
from golemd.core.exclusion import Shared, next_phase
from golemd.core.guardrails import exceeded
from golemd.core.index import LAUNCHED, launch_order
from golemd.core.slots import Limits, Tally, busy, has_process, holds_slot
from golemd.core.state import State


class Usage(Struct):
    """What is taken while actions are chosen: it starts as it is and grows with each choice."""

    agents: int = 0
    runs: int = 0


def select_actions(
    state: State, limits: Limits, now_us: int, foreign: frozenset[str] = frozenset(), tally: Tally | None = None
) -> list[Promote | Launch]:
    """What to start now, in order. Projects take turns, a slot a round; who started something longest ago begins.

    `tally`: what is taken, where it has been counted already.
    """
    tally = tally or Tally.of(state)
    usage = Usage(agents=sum(tally.slots.values()), runs=sum(tally.wip.values()))
    actions: list[Promote | Launch] = []
    queues = []
    for project in sorted(state.projects.values(), key=lambda project: state.turns.get(project.name, 0)):
        if project.dispatch.on and project.name not in foreign:
            asking = _asking(state, project)
            promoted = list(_promotions(state, project, asking, limits, usage, tally))
            actions += [Promote(item=item.id) for item in (*asking, *promoted)]
            queues.append(_launches(state, project, promoted, tally, now_us))
    while queues and usage.agents < limits.max_agents:
        for queue in list(queues):
            item = next(queue, None)
            if item is None:
                queues.remove(queue)
            elif usage.agents < limits.max_agents:
                usage.agents += 1
                actions.append(Launch(item=item.id))
    return actions


def _promotions(
    state: State, project: Project, asking: list[Item], limits: Limits, usage: Usage, tally: Tally
) -> Iterator[Item]:
    wip = tally.wip.get(project.name, 0)
    bound = state.config_of(project.name).execution.max_wip
    above = {item.id for item in asking}
    ready = could_promote(state, project.name)
    while wip < bound and usage.runs < limits.max_concurrent_runs:
        item = next(ready, None)
        if item is None:
            return
        if item.id not in above:
            wip += 1
            usage.runs += 1
            yield item


def could_promote(state: State, project: str) -> Iterator[Item]:
    """Ready items that the dispatch means, in their order; only a lack of room keeps them from going in progress."""
    found = state.projects[project]
    ready = (state.items[item] for _, item in state.index.ready.get(project, ()))
    return (item for item in ready if mandate.admits(state, found, item))


def _asking(state: State, project: Project) -> list[Item]:
    """Items that could be promoted but are above the guardrails, so that their promotion asks a human."""
    limits = state.config_of(project.name).guardrails
    kinds = state.index.kinds.get(project.name, {})
    above = [state.items[item] for kind, items in kinds.items() if exceeded(limits, *kind) for item in items]
    return sorted((item for item in above if mandate.admits(state, project, item)), key=lambda item: item.order)


def _launches(state: State, project: Project, promoted: list[Item], tally: Tally, now_us: int) -> Iterator[Item]:
    """The project's next items to launch, as many as its own limits leave room for."""
    execution = state.config_of(project.name).execution
    free = execution.max_concurrent - tally.slots.get(project.name, 0)
    if free <= 0:
        return
    starts_left = project.dispatch.cap - project.dispatch.used
    shared = Shared(state, project.name)
    for item in candidates(state, project.name, promoted, now_us):
        if starts_phase(state, item):
            if starts_left <= 0 or not shared.take(item):
                continue
            starts_left -= 1
        yield item
        free -= 1
        if free <= 0:
            return


def candidates(state: State, project: str, promoted: Iterable[Item], now_us: int) -> Iterator[Item]:
    """Items of a project that could be launched at this moment, in their order; those just promoted among them."""
    fresh = sorted((launch_order(item, state.run_of(item)), item.id) for item in promoted)
    for _, name in merge(state.index.launchable.get(project, ()), fresh):
        item = state.items[name]
        if _is_meant(state, item) and waits_for(state, item, now_us) is None:
            yield item


def _is_meant(state: State, item: Item) -> bool:
    """Whether what comes next of it is not the start of a phase, or one that the dispatch lets start."""
    return not starts_phase(state, item) or mandate.admits(state, state.projects[item.project], item)


def continues(state: State, project: str, now_us: int) -> bool:
    """Whether another attempt of a phase that has begun could be launched at this moment."""
    begun = (item for item, _ in state.live_runs() if item.project == project and not starts_phase(state, item))
    return any(item.status in LAUNCHED and waits_for(state, item, now_us) is None for item in begun)


def waits_for(state: State, item: Item, now_us: int) -> str | None:
    """What keeps a scoping or in-progress item from being launched, in words; None when nothing does."""
    if item.is_held:
        return f"it is paused; golemctl resume {item.id} goes on with it"
    unmet = state.unmet(item)
    if unmet:
        return "it waits for " + ", ".join(_unmet_in_words(state, dependency) for dependency in unmet)
    run = state.run_of(item)
    if run is not None and run.leaving:
        return f"its attempt {run.leaving} is still being ended"
    if run is not None and busy(run):
        return f"its phase {run.phase.name} is under way"
    spent = budgets.spent_before_start(state, item)
    if spent is not None:
        return f"its budget is spent: {spent} ({spent.scope})"
    spent = budgets.day_is_spent(state, item.project, now_us)
    if spent is not None:
        again = times.stamp(times.tomorrow(now_us))
        return f"the budget of the day is spent until {again}: {spent} ({spent.scope})"
    provider = state.providers.get(next_agent(state, item)) if state.providers else None
    if provider is not None and provider.until_us > now_us:
        return f"{provider.name} is parked until {times.stamp(provider.until_us)}: {provider.reason.rstrip('.')}"
    if run is None:
        return None
    if run.phase.again_us > now_us and run.phase.state is PhaseState.RUNNING:
        seconds = (run.phase.again_us - now_us) / 1e6
        return f"its phase {run.phase.name} is tried again in {times.span(seconds + 0.999)}"
    return None


def next_agent(state: State, item: Item) -> str:
    """Who works on the item's next phase."""
    return next_phase(state, item).agent or state.config_of(item.project).execution.agent


def wake_at(state: State, now_us: int) -> int | None:
    """The next moment at which time alone makes an item a candidate (microseconds), or None."""
    moments = [provider.until_us for provider in state.providers.values() if provider.until_us > now_us]
    moments += [
        run.phase.again_us
        for item, run in state.unattended()
        if run.phase.again_us > now_us
        and item.status in LAUNCHED
        and not item.is_held
        and (state.projects[run.project].dispatch.on or busy(run))
    ]
    if any(each.dispatch.on and _waits_for_tomorrow(state, each.name, now_us) for each in state.projects.values()):
        moments.append(times.tomorrow(now_us))
    return min(moments, default=None)


def _waits_for_tomorrow(state: State, project: str, now_us: int) -> bool:
    """Whether items of the project could be worked on, but for the budget of its day."""
    if budgets.day_is_spent(state, project, now_us) is None:
        return False
    return any(_is_meant(state, state.items[item]) for _, item in state.index.launchable.get(project, ()))


def starts_phase(state: State, item: Item) -> bool:
    """Whether launching it starts a phase (which the cap counts) rather than another attempt of one."""
    run = state.run_of(item)
    return run is None or run.phase.state is PhaseState.PENDING


def under_way(state: State, project: str, now_us: int) -> bool:
    """Whether anything of the project goes on by itself: a busy run, or one that only waits for time to pass."""
    runs = (run for run in map(state.runs.__getitem__, state.index.runs) if run.project == project)
    parked = {provider.name for provider in state.providers.values() if provider.until_us > now_us}
    launchable = state.index.launchable.get(project, ()) if parked else ()
    return (
        any(state.runs[run].project == project for run in state.index.spawned.values())
        or any(holds_slot(state, run) or _rests(state, run, now_us) for run in runs if _is_current(state, run))
        or any(next_agent(state, state.items[item]) in parked for _, item in launchable)
        or _waits_for_tomorrow(state, project, now_us)
    )


def _is_current(state: State, run: Run) -> bool:
    return state.items[run.item].run == run.id


def _rests(state: State, run: Run, now_us: int) -> bool:
    """Whether its next attempt waits for nothing but a back-off."""
    item = state.items[run.item]
    free = item.status in LAUNCHED and not item.is_held and not state.unmet(item)
    return free and run.phase.state is PhaseState.RUNNING and run.phase.again_us > now_us


def _unmet_in_words(state: State, dependency: str) -> str:
    found = state.items.get(dependency) or state.ended.get(dependency)
    if found is None:
        return f"{dependency} (which does not exist)"
    if found.status is Status.CANCELLED:
        return f"{dependency} (which is cancelled, so it is never met: golemctl edit or reopen)"
    if found.status is Status.READY and (full := _full(state, found.project)):
        return f"{dependency} (ready, but {full}: it begins when one of them has ended or is paused)"
    return f"{dependency} ({str(found.status).replace('_', ' ')})"


def _full(state: State, project: str) -> str:
    """That no further item of a project may begin, in words; empty when one may."""
    wip, most = state.index.wip.get(project, 0), state.config_of(project).execution.max_wip
    return f"{wip} of {most} items are in progress, which is max_wip" if wip >= most else ""


# --- why ---------------------------------------------------------------------------------------------------------


class Survey:
    """What the answers on many items have in common, each part looked up once, when it is first needed."""

    def __init__(self, state: State, limits: Limits) -> None:
        self._state = state
        self._limits = limits
        self._shared: dict[str, Shared] = {}

    @cached_property
    def tally(self) -> Tally:
        """What is taken."""
        return Tally.of(self._state)

    @cached_property
    def crowded(self) -> frozenset[str]:
        """Busy runs that wait for a slot."""
        return self.tally.crowded_out(self._state, self._limits)

    def shared(self, project: str) -> Shared:
        """Who works in the project's shared workspace."""
        if project not in self._shared:
            self._shared[project] = Shared(self._state, project)
        return self._shared[project]


def why(
    state: State, item: Item, limits: Limits, now_us: int, survey: Survey | None = None, short: str = ""
) -> str | None:
    """One true sentence on why the item is not running, or None when it is or has ended.

    `short`: what the machine has too little of for another agent, in words.
    """
    if item.status in ENDED:
        return None
    gates = state.open_gates(item.id)
    if gates:
        return f"{item.id} waits for you: {gates[0].question.splitlines()[0]}"
    run, survey = state.run_of(item), survey or Survey(state, limits)
    if run is None or item.is_held or run.leaving or not holds_slot(state, run):
        reason = _reason(state, item, limits, now_us, survey)
    elif not has_process(state, run) and run.id in survey.crowded:
        reason = _limit_reached(state, item, limits, survey.tally.without(run))
    else:
        return None
    reason = reason or short or "it is next in line"
    return f"{item.id} is {str(item.status).replace('_', ' ')} but does not run: {reason}."


def _reason(state: State, item: Item, limits: Limits, now_us: int, survey: Survey) -> str:
    """What rules of its project or of the daemon hold the item up; empty when none does."""
    project = state.projects[item.project]
    dispatch = project.dispatch
    if dispatch.on or not dispatch.stop_now or item.is_held:
        waiting = waits_for(state, item, now_us)
        if waiting:
            return waiting
    if not dispatch.on:
        halted = f" (it ended: {dispatch.halt_reason.replace('_', ' ')})" if dispatch.halt_reason else ""
        return f"nothing is dispatched in {project.name}{halted}; golemctl run starts it"
    if starts_phase(state, item):
        narrowed = mandate.why_not(state, project, item)
        if narrowed:
            return narrowed
        if dispatch.used >= dispatch.cap:
            return f"the dispatch has used its cap of {count(dispatch.cap, 'phase')}"
    exclusive = survey.shared(project.name).why_not(item) if item.status is not Status.READY else None
    return exclusive or _limit_reached(state, item, limits, survey.tally)


def _limit_reached(state: State, item: Item, limits: Limits, tally: Tally) -> str:
    execution = state.config_of(item.project).execution
    wip, slots = tally.wip.get(item.project, 0), tally.slots.get(item.project, 0)
    if item.status is Status.READY and wip >= execution.max_wip:
        return f"{wip} of {execution.max_wip} items are in progress (max_wip)"
    if item.status is Status.READY and sum(tally.wip.values()) >= limits.max_concurrent_runs:
        return f"{limits.max_concurrent_runs} runs are in progress in all projects (max_concurrent_runs)"
    if slots >= execution.max_concurrent:
        return f"{slots} of {execution.max_concurrent} slots are taken (max_concurrent)"
    if sum(tally.slots.values()) >= limits.max_agents:
        return f"{limits.max_agents} agents run in all projects (max_agents)"
    return ""
