"""Advance: a human takes an item past its phase, or to another one, forward or back. The tree stays as it is.

An attempt that still runs then only has to end: `Run.leaving` names it, and nothing else of the run starts before.
"""

from __future__ import annotations

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Pipeline
from golemd.api.events import Event
from golemd.api.faults import Conflict, Invalid
from golemd.api.model import Actor, Item, NoteKind, PhaseState, Run, Status
from golemd.core import commands as cmd
from golemd.core.decide import dispatches
from golemd.core.decide.common import Decided, about
from golemd.core.decide.launching import came_to, new_run
from golemd.core.decide.phases import completion
from golemd.core.state import State


def advance(state: State, call: calls.ItemAdvance, command: cmd.Asked) -> Decided:
    """Leave the item's phase: those passed over are skipped; going back, the later ones are pending again."""
    item = state.item(call.id)
    run = state.run_of(item)
    _check_status(item)
    if run is None:
        events = _from_the_beginning(state, item, call.to, command.actor)
    else:
        _check_attempt(item, run, call.force)
        events = _moves(item, run, _target(item, run.pipeline, run.index, call.to), command.actor)
    if not events:
        return Decided(note=f"{item.id} is at {call.to} already")
    closed = (ev.GateSuperseded(gate=gate.id, reason="advanced") for gate in state.open_gates(item.id))
    note = f"its attempt {run.live} is asked to end" if run is not None and run.live else ""
    return Decided((*about(item, *closed, *events), *dispatches.again(state, item.project)), note=note)


def _check_status(item: Item) -> None:
    status = item.came_from if item.status is Status.BLOCKED else item.status
    if status is not Status.IN_PROGRESS:
        shown = str(item.status).replace("_", " ")
        message = f"{item.id} is {shown}; only an item in progress can be taken to another phase."
        raise Conflict("not_in_progress", message, f"See: golemctl why {item.id}")


def _check_attempt(item: Item, run: Run, force: bool) -> None:
    if run.live and not force:
        hint = f"golemctl advance {item.id} --force ends it; golemctl logs {item.id} shows what it does."
        raise Conflict("attempt_running", f"{run.live} is running.", hint, attempt=run.live)


def _target(item: Item, pipeline: Pipeline, at: int, named: str) -> int:
    """The index of the phase that is meant; the number of phases for the end."""
    names = [phase.name for phase in pipeline.all_phases]
    main = names[pipeline.promoted_at :]
    if named in main:
        return names.index(named)
    if named:
        message = f"{item.id} has no phase {named[:64]!r} to go to."
        raise Invalid("unknown_phase", message, f"Its phases: {', '.join(main)}.", phases=main)
    if at >= len(names):
        message = f"{item.id} has been through all its phases."
        raise Conflict("no_phase_left", message, f"golemctl resume {item.id} completes it.")
    return max(at, pipeline.promoted_at) + 1


def _from_the_beginning(state: State, item: Item, named: str, actor: Actor) -> tuple[Event, ...]:
    """A fresh run that begins at another phase; nothing for the one at which it would begin anyway."""
    created = new_run(state, item)
    at = max(created.pipeline.promoted_at, came_to(item, created.pipeline))
    to = _target(item, created.pipeline, at, named)
    moves = _forward(item, created.run, created.pipeline, 0, to, "", actor)
    return (created, *moves) if to != at else ()


def _moves(item: Item, run: Run, to: int, actor: Actor) -> tuple[Event, ...]:
    """What takes the run to a phase; nothing when it stands there and has not begun it."""
    at = max(run.index, run.pipeline.promoted_at)
    if to > at:
        return _forward(item, run.id, run.pipeline, run.index, to, run.head, actor)
    last = min(at, len(run.phases) - 1)
    if to == at and run.phases[last].state is PhaseState.PENDING and not run.phases[last].started_at:
        return ()
    return tuple(_back(run, index, to, actor) for index in range(last, to - 1, -1))


def _forward(item: Item, run: str, pipeline: Pipeline, at: int, to: int, head: str, actor: Actor) -> tuple[Event, ...]:
    names = [phase.name for phase in pipeline.all_phases]
    reason = f"advanced to {names[to]}" if to < len(names) else "advanced past the last phase"
    skipped = tuple(ev.PhaseSkipped(run=run, phase=name, reason=reason, actor=actor) for name in names[at:to])
    through = to == len(names) and not item.is_held
    return (*skipped, *completion(run, head)) if through else skipped


def _back(run: Run, index: int, to: int, actor: Actor) -> ev.PhaseReset:
    phase, here = run.phases[index], index == to
    ended = f" This phase ended before with: {phase.summary}" if phase.summary else ""
    note = f"It had come to {run.phase.name}; what was done until then is in the tree.{ended}"
    return ev.PhaseReset(
        run=run.id,
        phase=phase.name,
        reason=f"taken back to {run.phases[to].name}",
        note_kind=NoteKind.MOVED if here else None,
        note=note if here else "",
        back=True,
        actor=actor,
    )
