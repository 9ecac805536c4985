"""What each sentence of `why` claims, looked up in the state without the scheduler's own rules.

One row for each thing that can be said. A sentence that fits no row, or whose claim does not hold, is a lie.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from re import Match
from typing import Final

from golemd.api.model import ENDED, AttemptState, Item, PhaseState, RunState, Status
from golemd.core.scheduler import select_actions, why
from golemd.core.state import State
from tests.core.world import World

LIVE: Final = (AttemptState.PLANNED, AttemptState.SPAWNED, AttemptState.EXITED)
AT_WORK: Final = (PhaseState.RUNNING, PhaseState.VERIFYING)
Claim = Callable[[World, Item, Match[str]], bool]


def _paused(world: World, item: Item, match: Match[str]) -> bool:
    return item.is_held and match[1] == item.id


def _unmet(world: World, item: Item) -> list[str]:
    known = world.state.items | world.state.ended
    return [each for each in item.dependencies if each not in known or known[each].status is not Status.DONE]


def _waits(world: World, item: Item, match: Match[str]) -> bool:
    return re.findall(r"([\w-]+) \(", match[1]) == _unmet(world, item) != []


def _parked(world: World, item: Item, match: Match[str]) -> bool:
    return world.state.providers[match[1]].until_us > world.now_us


def _tried_again(world: World, item: Item, match: Match[str]) -> bool:
    phase = world.run(item.id).phase
    return phase.name == match[1] and phase.again_us > world.now_us


def _under_way(world: World, item: Item, match: Match[str]) -> bool:
    phase = world.run(item.id).phase
    return phase.name == match[1] and phase.state in AT_WORK


def _ending(world: World, item: Item, match: Match[str]) -> bool:
    return world.state.attempts[match[1]].state in LIVE


def _not_dispatched(world: World, item: Item, match: Match[str]) -> bool:
    project = world.state.projects[item.project]
    told = (match[2] or "").replace(" ", "_")
    return match[1] == project.name and not project.dispatch.on and told == (project.dispatch.halt_reason or "")


def _works_on(world: World, item: Item, match: Match[str]) -> bool:
    dispatch = world.state.projects[item.project].dispatch
    return match[1] != item.id and match[1] in dispatch.targets and world.state.items[match[1]].status not in ENDED


def _through(world: World, item: Item, match: Match[str]) -> bool:
    dispatch = world.state.projects[item.project].dispatch
    left = [world.state.items[each] for each in dispatch.targets if each in world.state.items]
    return bool(dispatch.targets) and (dispatch.auto_advance or all(each.status in ENDED for each in left))


def _only(world: World, item: Item, match: Match[str]) -> bool:
    """Some condition of the filter names only other values, or a higher priority."""
    conditions = [word.split("=", 1) for word in world.state.projects[item.project].dispatch.only]
    facts = {"size": item.assessments.size, "status": item.status, "priority": item.priority}
    return any(
        item.priority < int(wanted.removesuffix("..")) if wanted.endswith("..") else facts[key] not in wanted.split(",")
        for key, wanted in conditions
    )


def _only_triages(world: World, item: Item, match: Match[str]) -> bool:
    dispatch = world.state.projects[item.project].dispatch
    return dispatch.triage and (item.status is not Status.NEW or item.id not in (dispatch.targets or (item.id,)))


def _cap(world: World, item: Item, match: Match[str]) -> bool:
    dispatch = world.state.projects[item.project].dispatch
    return dispatch.used >= dispatch.cap == int(match[1])


def _in_progress(state: State, project: str = "") -> int:
    found = [each for each in state.items.values() if project in ("", each.project)]
    return sum(each.status is Status.IN_PROGRESS and not each.is_held for each in found)


def _wip(world: World, item: Item, match: Match[str]) -> bool:
    bound = world.state.config_of(item.project).execution.max_wip
    return _in_progress(world.state, item.project) >= int(match[1]) >= int(match[2]) == bound


def _runs(world: World, item: Item, match: Match[str]) -> bool:
    return _in_progress(world.state) >= int(match[1]) == world.limits.max_concurrent_runs


def _working(state: State, item: Item, project: str = "") -> int:
    """Runs of others whose phase is under way, or whose process has not ended."""
    runs = [each for each in state.runs.values() if project in ("", each.project) and each.item != item.id]
    live = {each.run for each in state.attempts.values() if each.state in LIVE}
    return sum(
        each.id in live or bool(each.leaving) or (each.state is not RunState.COMPLETED and each.phase.state in AT_WORK)
        for each in runs
    )


def _slots(world: World, item: Item, match: Match[str]) -> bool:
    bound = world.state.config_of(item.project).execution.max_concurrent
    return _working(world.state, item, item.project) >= int(match[1]) >= int(match[2]) == bound


def _agents(world: World, item: Item, match: Match[str]) -> bool:
    return _working(world.state, item) >= int(match[1]) == world.limits.max_agents


def _next(world: World, item: Item, match: Match[str]) -> bool:
    """Something is about to begin, perhaps another that comes before it; or it is under way itself."""
    begins = bool(select_actions(world.state, world.limits, world.now_us))
    return begins or (item.run != "" and world.run(item.id).phase.state in AT_WORK)


def _has_it_alone(world: World, item: Item, match: Match[str]) -> bool:
    run = world.run(match[1])
    return run.phase.state in AT_WORK and run.pipeline.all_phases[run.index].is_destructive


def _still_there(world: World, item: Item, match: Match[str]) -> bool:
    return all(world.run(each).phase.state in AT_WORK for each in match[1].split(", "))


def _still_ending(world: World, item: Item, match: Match[str]) -> bool:
    return any(each.item == match[1] and each.state in LIVE for each in world.state.attempts.values())


def _spent(world: World, item: Item, match: Match[str]) -> bool:
    return float(match[1].replace(",", "")) >= float(match[2].replace(",", ""))


CLAIMS: Final[tuple[tuple[str, Claim], ...]] = (
    (r"it is paused; golemctl resume (\S+) goes on with it", _paused),
    (r"it waits for (.+)", _waits),
    (r"its attempt (\S+) is still being ended", _ending),
    (r"its phase (\S+) is under way", _under_way),
    (r"its budget is spent: .*?([\d,.]+) of \$?([\d,.]+).*", _spent),
    (r"the budget of the day is spent until .+?: \$?([\d,.]+) of \$?([\d,.]+).*", _spent),
    (r"(\S+) is parked until .+", _parked),
    (r"its phase (\S+) is tried again in .+", _tried_again),
    (r"nothing is dispatched in (\S+?)(?: \(it ended: (.+)\))?; golemctl run starts it", _not_dispatched),
    (r"this dispatch works on (\S+) now", _works_on),
    (r"this dispatch is through with its targets", _through),
    (r"this dispatch works only on (.+)", _only),
    (r"this dispatch only triages", _only_triages),
    (r"the dispatch has used its cap of (\d+) phases?", _cap),
    (r"(\d+) of (\d+) items are in progress \(max_wip\)", _wip),
    (r"(\d+) runs are in progress in all projects \(max_concurrent_runs\)", _runs),
    (r"(\d+) of (\d+) slots are taken \(max_concurrent\)", _slots),
    (r"(\d+) agents run in all projects \(max_agents\)", _agents),
    (r"(\S+) has the shared workspace to itself: its phase is destructive", _has_it_alone),
    (r"its next phase is destructive and waits until (.+) leave the shared workspace", _still_there),
    (r"the agent of (\S+) is still being ended in the shared workspace", _still_ending),
    (r"it is next in line", _next),
)


def is_true(world: World, item: Item) -> bool:
    """Whether what is said of a live item that does not run fits a row, and its claim holds."""
    sentence = why(world.state, item, world.limits, world.now_us) or ""
    gates = world.state.open_gates(item.id)
    if gates:
        return sentence == f"{item.id} waits for you: {gates[0].question.splitlines()[0]}"
    reason = sentence.removeprefix(f"{item.id} is {str(item.status).replace('_', ' ')} but does not run: ")
    rows = [(match, claim) for form, claim in CLAIMS if (match := re.fullmatch(form, reason.removesuffix(".")))]
    return len(rows) == 1 and rows[0][1](world, item, rows[0][0])
