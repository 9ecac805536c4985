"""What events do to attempts, and what that costs their phase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import (
    Attempt,
    AttemptKind,
    AttemptState,
    NoteKind,
    Outcome,
    PhaseState,
    Provider,
    ResultCode,
    Stage,
)
from golemd.core.budgets import PHASE_USD
from golemd.core.evolve.common import (
    adopt_child,
    merged,
    noted,
    phase_of,
    put_attempt,
    set_attempt,
    set_item,
    set_phase,
    set_run,
)
from golemd.core.state import State

FOLLOW_UPS_KEPT: Final = 200  # of a run; the oldest go first


_NUMBERS: Final = {AttemptKind.VERIFY: "verified", AttemptKind.SETUP: "set_up"}


def _attempt_planned(state: State, record: Record, event: ev.AttemptPlanned) -> None:
    attempt = Attempt(
        id=event.attempt,
        item=record.item,
        run=event.run,
        phase=event.phase,
        number=event.number,
        kind=event.kind,
        agent=event.agent,
        command=event.command,
        state=AttemptState.PLANNED,
        planned_at=record.ts,
    )
    put_attempt(state, attempt)
    adopt_child(state, record.item, event.attempt)
    changes: dict[str, Any] = {"live": event.attempt}
    if event.kind is not AttemptKind.AGENT:
        changes |= {_NUMBERS[event.kind]: event.number}
    else:
        changes |= {"number": event.number, "state": PhaseState.RUNNING, "stage": Stage.BODY, "resumes": False}
        state.turns[record.project] = record.seq
    if event.start_tree:
        # What an earlier attempt of the phase left uncommitted is the phase's own work: its next commit holds it too.
        base = phase_of(state, event.run, event.phase).base_tree or event.start_tree
        changes |= {"start_head": event.start_head, "start_tree": event.start_tree, "base_tree": base}
        changes |= {"warnings": event.warnings}
        set_run(state, event.run, head=event.start_head)  # whoever made it, also a human between two phases
    if event.start_refs:
        changes |= {"start_refs": event.start_refs}
    set_phase(state, event.run, event.phase, **changes)


def _attempt_spawned(state: State, record: Record, event: ev.AttemptSpawned) -> None:
    changes = {"pid": event.pid, "boot_id": event.boot_id, "started_at": record.ts}
    set_attempt(state, event.attempt, state=AttemptState.SPAWNED, **changes)
    if event.session:
        _set_session(state, event.attempt, event.session)


def _set_session(state: State, attempt: str, session: str) -> None:
    found = state.attempts[attempt]
    set_attempt(state, attempt, session=session)
    if not state.runs[found.run].leaving:  # a phase that begins anew begins a new one
        set_phase(state, found.run, found.phase, session=session)


def _attempt_session(state: State, record: Record, event: ev.AttemptSession) -> None:
    _set_session(state, event.attempt, event.session)
    set_attempt(state, event.attempt, model=event.model)


def _budget_spent(state: State, record: Record, event: ev.BudgetSpent) -> None:
    tokens = event.input_tokens + event.output_tokens
    set_attempt(state, event.attempt, cost_usd=event.cost_usd, tokens=tokens)
    attempt, item = state.attempts[event.attempt], state.items[record.item]
    phase = phase_of(state, attempt.run, attempt.phase)
    set_phase(state, attempt.run, attempt.phase, spent_usd=phase.spent_usd + event.cost_usd)
    set_item(state, item.id, spent_usd=item.spent_usd + event.cost_usd, spent_tokens=item.spent_tokens + tokens)
    day = record.ts[:10]
    today = state.spent.get(day, {})
    state.spent = {day: {**today, record.project: today.get(record.project, 0.0) + event.cost_usd}}


def _budget_raised(state: State, record: Record, event: ev.BudgetRaised) -> None:
    if event.scope == PHASE_USD:
        phase = phase_of(state, event.run, event.phase)
        set_phase(state, event.run, event.phase, raised_usd=phase.raised_usd + event.usd)
    else:
        item = state.items[record.item]
        raised = {"raised_usd": item.raised_usd + event.usd, "raised_tokens": item.raised_tokens + event.tokens}
        set_item(state, item.id, **raised)


def _attempt_adopted(state: State, record: Record, event: ev.AttemptAdopted) -> None:
    set_attempt(state, event.attempt, adopted=True, pid=event.pid)


def _attempt_exited(state: State, record: Record, event: ev.AttemptExited) -> None:
    set_attempt(
        state,
        event.attempt,
        state=AttemptState.EXITED,
        status=event.status,
        signal=event.signal,
        reason=event.reason,
        duration_s=event.duration_s,
        oom_kills=event.oom_kills,
        memory_limit_mb=event.memory_limit_mb,
        ended_at=record.ts,
    )


_COUNTERS: Final = {"retry": "retries", "fix": "fixes", "transient": "transient_in_row", "lost": "lost_in_row"}


def judge(state: State, attempt: Attempt, spends: str, again_us: int, /, put_back: bool, **changes: Any) -> None:  # noqa: ANN401 - fields of Phase
    """An attempt is over: its phase has no live attempt, pays for it, and knows what is next."""
    phase = phase_of(state, attempt.run, attempt.phase)
    changes |= {"live": "", "again_us": again_us}
    if put_back:
        changes |= {"put_back": attempt.id, "session": ""}  # another approach needs another conversation
    changes |= {name: 0 for name in ("transient_in_row", "lost_in_row") if _COUNTERS.get(spends) != name}
    if spends:
        changes[_COUNTERS[spends]] = getattr(phase, _COUNTERS[spends]) + 1
    set_phase(state, attempt.run, attempt.phase, **changes)


def _attempt_accepted(state: State, record: Record, event: ev.AttemptAccepted) -> None:
    attempt = state.attempts[event.attempt]
    if not state.providers.get(attempt.agent, Provider("")).until_us:
        state.providers.pop(attempt.agent, None)  # it works again, so the next limit is the first in a row
    set_attempt(state, event.attempt, state=AttemptState.ACCEPTED, outcome=str(event.result), message=event.summary)
    phase = phase_of(state, attempt.run, attempt.phase)
    failed = event.result is ResultCode.FAILED
    changes: dict[str, Any] = {
        "accepted": event.attempt,
        "summary": event.summary,
        "commit_summary": event.commit_summary,
        "warnings": (*phase.warnings, *event.warnings),
        "findings": event.findings,
        "tree": event.tree,
        "stage": Stage.BODY if failed else Stage.COMMIT,
        "more_rounds": event.result is ResultCode.SUBPHASE_COMPLETE,
        "question": event.question if event.result is ResultCode.BLOCKED else "",
    }
    if failed:
        text = event.summary + (f"\n{event.context}" if event.context else "")
        changes["notes"] = noted(phase, NoteKind.FAILURE, text, event.attempt)
    judge(state, attempt, event.spends, event.again_us, event.put_back, **changes)
    assessed = state.items[record.item].assessments
    set_item(state, record.item, assessments=merged(assessed, event.assessments))
    run = state.runs[attempt.run]
    follow_ups = (*run.follow_ups, *event.follow_ups)[-FOLLOW_UPS_KEPT:]
    set_run(state, run.id, follow_ups=follow_ups)


def _attempt_rejected(state: State, record: Record, event: ev.AttemptRejected) -> None:
    attempt = state.attempts[event.attempt]
    set_attempt(state, event.attempt, state=AttemptState.REJECTED, outcome=str(event.outcome), message=event.message)
    changes: dict[str, Any] = {}
    if attempt.kind is AttemptKind.AGENT:
        interrupted = event.outcome in (Outcome.CANCELLED, Outcome.TRANSIENT, Outcome.LIMIT, Outcome.BUDGET)
        kind = NoteKind.INTERRUPTION if interrupted else NoteKind.FAILURE
        phase = phase_of(state, attempt.run, attempt.phase)
        changes["notes"] = noted(phase, kind, event.message, event.attempt)
    judge(state, attempt, event.spends, event.again_us, event.put_back, **changes)


def _attempt_lost(state: State, record: Record, event: ev.AttemptLost) -> None:
    attempt = state.attempts[event.attempt]
    set_attempt(state, event.attempt, state=AttemptState.LOST, outcome="lost", message=event.reason, ended_at=record.ts)
    changes: dict[str, Any] = {}
    if attempt.kind is AttemptKind.AGENT:
        phase = phase_of(state, attempt.run, attempt.phase)
        changes["notes"] = noted(phase, NoteKind.INTERRUPTION, event.reason, event.attempt)
    judge(state, attempt, "lost", event.again_us, put_back=False, **changes)


EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    ev.AttemptPlanned: _attempt_planned,
    ev.AttemptSession: _attempt_session,
    ev.BudgetSpent: _budget_spent,
    ev.BudgetRaised: _budget_raised,
    ev.AttemptSpawned: _attempt_spawned,
    ev.AttemptAdopted: _attempt_adopted,
    ev.AttemptExited: _attempt_exited,
    ev.AttemptAccepted: _attempt_accepted,
    ev.AttemptRejected: _attempt_rejected,
    ev.AttemptLost: _attempt_lost,
}
