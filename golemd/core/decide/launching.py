"""Launching: promote an item, start its next phase (and its run, if it has none), or the next attempt of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from golemd.api import events as ev
from golemd.api.config import TRIAGE, Pipeline
from golemd.api.config import Phase as PhaseDefinition
from golemd.api.events import Event
from golemd.api.model import PHASE_OVER, AttemptKind, Item, Phase, PhaseState, Run, RunState, Status, WorktreeState
from golemd.core import commands as cmd
from golemd.core import scheduler
from golemd.core.decide import triage
from golemd.core.decide.common import NOTHING, Decided, about, cause_of, definition_of
from golemd.core.index import LAUNCHED
from golemd.core.state import State


def promote(state: State, command: cmd.Promote, now_us: int) -> Decided:
    """A ready item goes in progress, unless its assessments are above the guardrails."""
    item = state.items.get(command.item)
    if item is None or item.status is not Status.READY or item.is_held or state.unmet(item):
        return NOTHING
    moved = ev.ItemMoved(to=Status.IN_PROGRESS, reason="promoted")
    events = triage.guarded(state, item) or [moved]
    return Decided(about(item, *events, cause=cause_of(state, item.id)))


def launch(state: State, command: cmd.Launch, now_us: int) -> Decided:
    """Start the item's next phase, or the next attempt of the phase under way."""
    item = state.items.get(command.item)
    if item is None or item.status not in LAUNCHED:
        return NOTHING
    if scheduler.waits_for(state, item, now_us) is not None:
        return NOTHING
    return Decided(about(item, *_launched(state, item), cause=cause_of(state, item.id)))


def _launched(state: State, item: Item) -> Sequence[Event]:
    run = state.run_of(item)
    is_bound = run is not None and run.state is not RunState.CREATED
    if not (is_bound or item.status is Status.NEW or triage.has_pipeline(state, item)):
        return [triage.ask_pipeline(item, run, item.pipeline, state.config_of(item.project))]
    if run is None:
        return _begin(state, item)
    if run.phase.state is PhaseState.PENDING:
        return [*_go_on(state, item, run)]
    if run.worktree is WorktreeState.ASIDE:
        return [ev.WorktreeWanted(run=run.id, phase=run.phase.name)]
    return [plan_attempt(run.id, definition_of(run, run.phase), run.phase)]


def _begin(state: State, item: Item) -> Sequence[Event]:
    """A fresh run, and its first phase."""
    created = new_run(state, item)
    if item.status is Status.SCOPING and not created.pipeline.pre_phases:
        return [ev.ItemMoved(to=Status.READY, reason="nothing to scope")]
    return [created, *_start(item, created.run, created.pipeline, 0, {})]


def new_run(state: State, item: Item) -> ev.RunCreated:
    """The item's next run, through the pipeline that is meant for it now."""
    project, config = state.projects[item.project], state.config_of(item.project)
    name = item.pipeline if item.pipeline in config.pipelines else config.default_pipeline  # triage will ask which
    pipeline = config.pinned(name, triage=item.status is Status.NEW)
    number = item.runs + 1
    run = f"{item.id}.{number}"
    return ev.RunCreated(run=run, number=number, pipeline=pipeline, config_digest=project.config_digest)


def _go_on(state: State, item: Item, run: Run) -> Iterator[Event]:
    """The next phase of a run; one that is not bound yet follows the configuration in force."""
    planned = triage.renewed(state, item, run)
    yield from planned
    pipeline = planned[0].pipeline if planned else run.pipeline
    phases = {phase.name: phase for phase in run.phases}
    over = {name for name, phase in phases.items() if phase.state in PHASE_OVER}
    index = next(at for at, each in enumerate(pipeline.all_phases) if each.name not in over)
    if item.status is Status.SCOPING and index >= pipeline.promoted_at:
        yield ev.ItemMoved(to=Status.READY, reason="nothing to scope")
    else:
        yield from _start(item, run.id, pipeline, index, phases)


def _start(item: Item, run: str, pipeline: Pipeline, index: int, phases: dict[str, Phase]) -> Iterator[Event]:
    """The start of the next phase, from an index on; an item in progress passes over what was to scope it."""
    definitions = pipeline.all_phases
    first = max(index, pipeline.promoted_at) if item.status is Status.IN_PROGRESS else index
    reached = came_to(item, pipeline)
    for passed in definitions[index : max(first, reached)]:
        why = "it was done before the item came here" if reached > first else "the item needs no scoping"
        yield ev.PhaseSkipped(run=run, phase=passed.name, reason=why)
    first = max(first, reached)
    started = definitions[first]
    yield ev.PhaseStarted(run=run, phase=started.name, index=first)
    if started.name == TRIAGE:  # which has no workspace that would have to be entered first
        yield plan_attempt(run, started, phases.get(TRIAGE) or Phase(TRIAGE))


def came_to(item: Item, pipeline: Pipeline) -> int:
    """The index of the phase that an item had come to elsewhere, if it is one of those that are ahead of it now."""
    names = [phase.name for phase in pipeline.all_phases]
    if item.begin not in names:
        return 0
    index = names.index(item.begin)
    return index if (index < pipeline.promoted_at) is (item.status is Status.SCOPING) else 0


def plan_attempt(
    run: str, definition: PhaseDefinition, phase: Phase, head: str = "", tree: str = "", refs: str = ""
) -> ev.AttemptPlanned:
    """The intent to run the phase's agent once more."""
    number = phase.number + 1
    return ev.AttemptPlanned(
        attempt=f"{run}.{phase.name}.{number}",
        run=run,
        phase=phase.name,
        number=number,
        kind=AttemptKind.AGENT,
        agent=definition.agent or "",
        purpose=_purpose(phase),
        start_head=head,
        start_tree=tree,
        start_refs=refs,
    )


def _purpose(phase: Phase) -> str:
    """Why this attempt is made, from the newest note: for the reader of the journal."""
    return str(phase.notes[-1].kind) if phase.notes else "first"
