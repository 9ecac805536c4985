"""Destructive phases exclude, within one workspace, every other phase.

Items with a worktree of their own exclude nobody. In a project whose items share the repository itself, the first
destructive candidate waits until nobody works there, and nothing new is started before it.
"""

from __future__ import annotations

from golemd.api.config import TRIAGE
from golemd.api.config import Phase as PhaseDefinition
from golemd.api.model import RUN_OVER, AttemptState, Item, PhaseState, Run, Status
from golemd.core.state import State

_AT_WORK = (PhaseState.RUNNING, PhaseState.VERIFYING)
_MAY_RUN = (AttemptState.PLANNED, AttemptState.SPAWNED)


def next_phase(state: State, item: Item) -> PhaseDefinition:
    """The definition of the phase of an item that is under way or next."""
    run = state.run_of(item)
    if run is not None:
        definitions = run.pipeline.all_phases
        first = run.pipeline.promoted_at if item.status is Status.IN_PROGRESS else 0
        return definitions[min(max(run.index, first), len(definitions) - 1)]
    config = state.config_of(item.project)
    if item.status is Status.NEW:
        return PhaseDefinition(TRIAGE, agent=config.triage.agent)
    pipeline = config.pipelines.get(item.pipeline) or config.pipelines[config.default_pipeline]
    return (pipeline.all_phases if item.status is Status.SCOPING else pipeline.phases)[0]


def shares(state: State, item: Item) -> bool:
    """Whether the item is worked on in the repository itself."""
    run = state.run_of(item)
    if run is not None:
        return is_shared(state, run)
    return state.config_of(item.project).execution.workspace == "shared"


def is_shared(state: State, run: Run) -> bool:
    """Whether the run works in the repository itself."""
    return state.configs[run.config_digest].execution.workspace == "shared"


def keeps_leftovers(state: State, run: Run) -> bool:
    """Whether what a failed attempt leaves stays where it is: a shared tree is never put back, and triage has none."""
    return run.phase.name == TRIAGE or is_shared(state, run)


class Shared:
    """Who works in a project's shared workspace while actions are chosen; it fills with each choice."""

    def __init__(self, state: State, project: str) -> None:
        self._state = state
        runs = [(item, run) for item, run in state.live_runs() if run.project == project and shares(state, item)]
        self._at_work = [item.id for item, run in runs if _is_at_work(run)]
        self._ending = _ending(state, project)
        self._closed_by = self._ending or next(
            (item.id for item, run in runs if _is_at_work(run) and next_phase(state, item).is_destructive), ""
        )

    def take(self, item: Item) -> bool:
        """Whether the item's next phase may begin; a destructive one that may not keeps those behind it waiting."""
        if not shares(self._state, item):
            return True
        if self._closed_by:
            return False
        if next_phase(self._state, item).is_destructive:
            self._closed_by = item.id
            if self._at_work:
                return False
        self._at_work.append(item.id)
        return True

    def why_not(self, item: Item) -> str | None:
        """In words who keeps the item's next phase from beginning; None when nobody does."""
        if not shares(self._state, item):
            return None
        if self._ending:
            return f"the agent of {self._ending} is still being ended in the shared workspace"
        if self._closed_by and self._closed_by != item.id:
            return f"{self._closed_by} has the shared workspace to itself: its phase is destructive"
        others = [each for each in self._at_work if each != item.id]
        if others and next_phase(self._state, item).is_destructive:
            return f"its next phase is destructive and waits until {', '.join(others)} leave the shared workspace"
        return None


def _ending(state: State, project: str) -> str:
    """The item whose process still has to end in the shared workspace, where it has no place any more; or empty."""
    for attempt in map(state.attempts.__getitem__, state.index.attempts):
        run = state.runs[attempt.run]
        has_no_place = run.state in RUN_OVER or run.leaving == attempt.id
        if run.project == project and has_no_place and attempt.state in _MAY_RUN and is_shared(state, run):
            return attempt.item
    return ""


def _is_at_work(run: Run) -> bool:
    return run.phase.state in _AT_WORK
