"""What events do to evidence, commits, kept work and providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import (
    PHASE_OVER,
    RUN_OVER,
    Aside,
    AttemptState,
    Evidence,
    NoteKind,
    PhaseState,
    Provider,
    Stage,
    WorktreeState,
)
from golemd.core.evolve.attempts import judge
from golemd.core.evolve.common import (
    noted,
    phase_of,
    set_attempt,
    set_phase,
    set_run,
)
from golemd.core.state import State


def _evidence_recorded(state: State, record: Record, event: ev.EvidenceRecorded) -> None:
    phase = phase_of(state, event.run, event.phase)
    evidence = Evidence(
        event.attempt,
        event.command,
        event.outcome,
        event.status,
        event.duration_s,
        event.tree,
        event.lines,
        record.ts,
    )
    set_phase(state, event.run, event.phase, evidence=(*phase.evidence, evidence))
    if event.outcome != "not_run":
        _take_verdict(state, event)


def _take_verdict(state: State, event: ev.EvidenceRecorded) -> None:
    """A verify command has ended: the next one follows, or the commit, or a fix."""
    phase = phase_of(state, event.run, event.phase)
    attempt = state.attempts[event.attempt]
    passed = event.outcome == "passed"
    set_attempt(state, event.attempt, state=AttemptState.ACCEPTED, outcome=event.outcome)
    changes: dict[str, Any] = {"command": phase.command + passed}
    if not passed:
        text = f"{event.command}\n" + "\n".join(event.lines)
        changes |= {"stage": Stage.BODY, "state": PhaseState.RUNNING}
        changes["notes"] = noted(phase, NoteKind.EVIDENCE, text, event.attempt)
    elif phase.command + 1 >= phase.commands:
        changes["stage"] = Stage.COMMIT
    judge(state, attempt, event.spends, 0, put_back=False, **changes)


def _commit_created(state: State, record: Record, event: ev.CommitCreated) -> None:
    if event.deferred:
        _leave_in_tree(state, event)
        return
    run = state.runs[event.run]
    for phase in run.phases:
        if phase.name in run.uncommitted and phase.state in PHASE_OVER:
            set_phase(state, event.run, phase.name, commit=event.commit)
        if phase.name == event.phase and phase.accepted == event.attempt:  # else it was gone back over, and begins anew
            changes = {"tree": event.tree, "base_tree": event.tree, "stage": Stage.GATE}
            set_phase(state, event.run, phase.name, commit=event.commit, **changes)
    ended = {"uncommitted": (), "since_head": "", "since_tree": "", "until_attempt": "", "until_tree": ""}
    set_run(state, event.run, head=event.head, **ended)


def _leave_in_tree(state: State, event: ev.CommitCreated) -> None:
    """The work waits in the shared tree; where the first such phase began is where the commit will begin."""
    run, phase = state.runs[event.run], phase_of(state, event.run, event.phase)
    since = {"since_head": run.since_head or phase.start_head, "since_tree": run.since_tree or phase.base_tree}
    until = {"until_attempt": event.attempt, "until_tree": event.tree}
    before = tuple(name for name in run.uncommitted if name != event.phase)
    set_run(state, event.run, uncommitted=(*before, event.phase), **since, **until)
    set_phase(state, event.run, event.phase, tree=event.tree, base_tree=event.tree, stage=Stage.GATE)


def _work_kept(state: State, record: Record, event: ev.WorkKept) -> None:
    if event.then == "removed":
        set_run(state, event.run, tidy=False)
    elif event.then == "left" and state.runs[event.run].state in RUN_OVER:  # for good: its repository is gone
        set_run(state, event.run, tidy=False, uncommitted=())
    elif event.then == "aside":
        aside = Aside(event.head, event.tree, event.staged, event.ref, record.ts)
        set_run(state, event.run, worktree=WorktreeState.ASIDE, aside=aside)
    elif event.then == "put_back":
        for phase in state.runs[event.run].phases:
            if phase.put_back == event.attempt:
                set_phase(state, event.run, phase.name, put_back="")


def _provider_parked(state: State, record: Record, event: ev.ProviderParked) -> None:
    state.providers[event.provider] = Provider(event.provider, event.until_us, event.streak, event.reason)


def _provider_available(state: State, record: Record, event: ev.ProviderAvailable) -> None:
    state.providers[event.provider] = replace(state.providers[event.provider], until_us=0)


EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    ev.EvidenceRecorded: _evidence_recorded,
    ev.CommitCreated: _commit_created,
    ev.WorkKept: _work_kept,
    ev.ProviderParked: _provider_parked,
    ev.ProviderAvailable: _provider_available,
}
