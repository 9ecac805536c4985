"""What events do to gates: blocked means exactly that one is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import (
    Decision,
    Gate,
    GateKind,
    PhaseState,
    RunState,
    Stage,
    Status,
    WorktreeState,
)
from golemd.core.evolve.common import (
    adopt_child,
    hold_if_asked,
    merged,
    phase_of,
    put_gate,
    set_item,
    set_phase,
    set_run,
)
from golemd.core.state import State


def _gate_opened(state: State, record: Record, event: ev.GateOpened) -> None:
    gate = Gate(
        id=event.gate,
        item=record.item,
        run=event.run,
        phase=event.phase,
        kind=event.kind,
        key=event.key,
        question=event.question,
        options=event.options,
        default=event.default,
        content=event.content,
        attempt=event.attempt,
        opened_at=event.opened_at or record.ts,
        notified="sent" if event.opened_at else "",  # who brought it here knows of it
        in_place=bool(event.run) and state.runs[event.run].is_in_place,
    )
    put_gate(state, gate)
    adopt_child(state, record.item, event.gate)
    item = state.items[record.item]
    came_from = item.came_from if item.status is Status.BLOCKED else item.status
    set_item(state, record.item, status=Status.BLOCKED, came_from=came_from, gates=item.gates + 1)
    if not event.run:
        return
    set_run(state, event.run, state=RunState.AWAITING)
    if event.kind is GateKind.FAILURE and state.runs[event.run].worktree is WorktreeState.MADE:
        set_run(state, event.run, worktree=WorktreeState.UNKNOWN)  # it is set up again from its first command on
    if event.kind is GateKind.GUARDRAIL:
        return  # it is about the item: the phase goes on where it is
    changes: dict[str, Any] = {"state": PhaseState.AWAITING_GATE}
    if event.kind is not GateKind.FAILURE:
        changes["stage"] = Stage.GATE
    set_phase(state, event.run, event.phase, **changes)
    hold_if_asked(state, record.item)


def _unblock_if_free(state: State, item: str, run: str) -> None:
    if state.open_gates(item):
        return
    set_item(state, item, status=state.items[item].came_from)
    if not run:
        return
    bound = RunState.EXECUTING if state.runs[run].base_commit else RunState.CREATED
    set_run(state, run, state=bound)


def _gate_decided(state: State, record: Record, event: ev.GateDecided) -> None:
    gate = state.gates[event.gate]
    decision = Decision(event.option, event.text, event.actor, event.token, record.ts)
    put_gate(state, replace(gate, decision=decision))
    if gate.kind is GateKind.APPROVAL and event.option == "approve":
        phase = phase_of(state, gate.run, gate.phase)
        approvals = (*phase.approvals, (gate.key, gate.content.tree))
        set_phase(state, gate.run, gate.phase, approvals=approvals)
    elif gate.kind is GateKind.GUARDRAIL and event.option == "approve":
        item = state.items[record.item]
        set_item(state, item.id, approved=merged(item.approved, item.assessments))
    _unblock_if_free(state, record.item, gate.run)


def _gate_superseded(state: State, record: Record, event: ev.GateSuperseded) -> None:
    gate = state.gates[event.gate]
    put_gate(state, replace(gate, superseded=True))
    _unblock_if_free(state, record.item, gate.run)


def _gate_notified(state: State, record: Record, event: ev.GateNotified) -> None:
    gate = state.gates[event.gate]
    put_gate(state, replace(gate, notified="failed" if event.message else "sent"))


EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    ev.GateOpened: _gate_opened,
    ev.GateDecided: _gate_decided,
    ev.GateSuperseded: _gate_superseded,
    ev.GateNotified: _gate_notified,
}
