"""What events do to runs and phases, and to the work they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import fields

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import (
    PHASE_OVER,
    SAID_BY_PEOPLE,
    Note,
    NoteKind,
    Pause,
    Phase,
    PhaseState,
    Run,
    RunState,
    Stage,
    WorktreeState,
)
from golemd.core.evolve.common import (
    adopt_child,
    count_failures,
    hold_if_asked,
    noted,
    phase_of,
    put_run,
    set_dispatch,
    set_item,
    set_phase,
    set_run,
)
from golemd.core.state import State


def _run_created(state: State, record: Record, event: ev.RunCreated) -> None:
    run = Run(
        id=event.run,
        item=record.item,
        project=record.project,
        number=event.number,
        state=RunState.CREATED,
        pipeline=event.pipeline,
        config_digest=event.config_digest,
        phases=tuple(Phase(definition.name) for definition in event.pipeline.all_phases),
        created_at=record.ts,
    )
    put_run(state, run)
    adopt_child(state, record.item, event.run)
    set_item(state, record.item, run=event.run, runs=event.number, begin="")


def _run_bound(state: State, record: Record, event: ev.RunBound) -> None:
    set_run(
        state,
        event.run,
        state=RunState.EXECUTING,
        pipeline_digest=event.pipeline_digest,
        base_branch=event.base_branch,
        base_commit=event.base_commit,
        branch=event.branch,
        workspace=event.workspace,
        head=event.base_commit,
    )
    set_item(state, record.item, branch=event.branch)


def _run_paused(state: State, record: Record, event: ev.RunPaused) -> None:
    set_item(state, record.item, paused=Pause.AFTER_PHASE if event.after_phase else Pause.HELD)


def _run_resumed(state: State, record: Record, event: ev.RunResumed) -> None:
    set_item(state, record.item, paused=Pause.NONE)


def _end_run(state: State, run: str, record: Record, how: RunState) -> None:
    set_run(state, run, state=how, ended_at=record.ts, tidy=True)  # a worktree may be in the making, unrecorded


def _run_completed(state: State, record: Record, event: ev.RunCompleted) -> None:
    _end_run(state, event.run, record, RunState.COMPLETED)


def _run_failed(state: State, record: Record, event: ev.RunFailed) -> None:
    _end_run(state, event.run, record, RunState.FAILED)


def _run_aborted(state: State, record: Record, event: ev.RunAborted) -> None:
    _end_run(state, event.run, record, RunState.ABORTED)


def _report_written(state: State, record: Record, event: ev.ReportWritten) -> None:
    set_run(state, event.run, reported=True)


def _phase_started(state: State, record: Record, event: ev.PhaseStarted) -> None:
    phase = phase_of(state, event.run, event.phase)
    started = phase.started_at or record.ts
    changes = {"state": PhaseState.RUNNING, "resumes": False, "started_at": started, "ended_at": ""}
    set_phase(state, event.run, event.phase, **changes)
    set_run(state, event.run, index=event.index)
    if state.runs[event.run].takes_base_afresh:
        set_run(state, event.run, worktree=WorktreeState.UNKNOWN, aside=None)
    state.turns[record.project] = record.seq
    project = state.projects.get(record.project)
    if project is not None:
        set_dispatch(state, record.project, used=project.dispatch.used + 1)


def _phase_planned(state: State, record: Record, event: ev.PhasePlanned) -> None:
    over = {phase.name: phase for phase in state.runs[event.run].phases if phase.state in PHASE_OVER}
    phases = tuple(over.get(each.name) or Phase(each.name) for each in event.pipeline.all_phases)
    index = next((at for at, phase in enumerate(phases) if phase.state not in PHASE_OVER), len(phases))
    changes = {"pipeline": event.pipeline, "config_digest": event.config_digest, "phases": phases, "index": index}
    set_run(state, event.run, **changes)


def _phase_verifying(state: State, record: Record, event: ev.PhaseVerifying) -> None:
    set_phase(
        state,
        event.run,
        event.phase,
        state=PhaseState.VERIFYING,
        stage=Stage.VERIFY if event.commands else Stage.COMMIT,
        tree=event.tree,
        command=0,
        commands=event.commands,
        evidence=(),
    )


def _phase_completed(state: State, record: Record, event: ev.PhaseCompleted) -> None:
    set_phase(state, event.run, event.phase, state=PhaseState.COMPLETED, ended_at=record.ts)
    set_run(state, event.run, index=state.runs[event.run].index + 1)
    count_failures(state, record.project, 0)
    hold_if_asked(state, record.item)


def _phase_failed(state: State, record: Record, event: ev.PhaseFailed) -> None:
    set_phase(state, event.run, event.phase, state=PhaseState.FAILED)
    count_failures(state, record.project)


def _phase_skipped(state: State, record: Record, event: ev.PhaseSkipped) -> None:
    run = state.runs[event.run]
    left = run.phase
    set_phase(state, event.run, event.phase, state=PhaseState.SKIPPED, ended_at=record.ts)
    set_run(state, event.run, index=run.index + 1)
    if run.index + 1 < len(run.phases):
        _hand_on(state, run, left, run.phases[run.index + 1])
    hold_if_asked(state, record.item)


def _hand_on(state: State, run: Run, left: Phase, to: Phase) -> None:
    """What a phase leaves uncommitted stays in the tree: the next one hears of it, and its commit holds it too."""
    notes = tuple(note for note in left.notes if note.kind is NoteKind.MOVED)
    if left.started_at:
        notes += (Note(NoteKind.MOVED, f"{left.name} was left out after it had begun; what it did is in the tree."),)
    set_phase(state, run.id, to.name, base_tree=left.base_tree or to.base_tree, notes=(*to.notes, *notes))


_FULL_BUDGETS: Final = {"retries": 0, "fixes": 0, "rounds": 0, "lost_in_row": 0, "transient_in_row": 0, "again_us": 0}


_KEPT: Final = frozenset(
    {
        "number",
        "verified",
        "set_up",
        "live",
        "put_back",
        "start_head",
        "start_tree",
        "start_refs",
        "spent_usd",
        "raised_usd",
    }
)


def _go_back(state: State, event: ev.PhaseReset) -> None:
    """The phase begins anew, with its numbers going on and what is still to be put away; the tree stays as it is."""
    run = state.runs[event.run]
    old, left = phase_of(state, event.run, event.phase), run.phase
    fresh = {each.name: each.default for each in fields(Phase) if not each.required and each.name not in _KEPT}
    base_tree = "" if event.afresh else left.base_tree or old.base_tree
    said = tuple(note for note in old.notes if note.kind in SAID_BY_PEOPLE)
    set_phase(state, event.run, event.phase, **{**fresh, "base_tree": base_tree, "notes": said})
    names = [phase.name for phase in run.phases]
    set_run(state, event.run, index=names.index(event.phase))


def _phase_reset(state: State, record: Record, event: ev.PhaseReset) -> None:
    if event.back:
        _go_back(state, event)
    phase = phase_of(state, event.run, event.phase)
    notes = phase.notes if event.note_kind is None else noted(phase, event.note_kind, event.note)
    again = event.stage is not Stage.ENTER
    changes: dict[str, Any] = {
        "state": PhaseState.RUNNING if again else PhaseState.PENDING,
        "stage": event.stage,
        "notes": notes,
        "question": "",
        "more_rounds": False,
        "rounds": phase.rounds + (event.note_kind is NoteKind.ROUND),
    }
    if event.renew:
        changes |= _FULL_BUDGETS
    if event.accept_stale:
        changes["stale_accepted"] = True
    set_phase(state, event.run, event.phase, **changes)


EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    ev.RunCreated: _run_created,
    ev.RunBound: _run_bound,
    ev.RunPaused: _run_paused,
    ev.RunResumed: _run_resumed,
    ev.RunCompleted: _run_completed,
    ev.RunFailed: _run_failed,
    ev.RunAborted: _run_aborted,
    ev.ReportWritten: _report_written,
    ev.PhaseStarted: _phase_started,
    ev.PhasePlanned: _phase_planned,
    ev.PhaseVerifying: _phase_verifying,
    ev.PhaseCompleted: _phase_completed,
    ev.PhaseFailed: _phase_failed,
    ev.PhaseSkipped: _phase_skipped,
    ev.PhaseReset: _phase_reset,
}
