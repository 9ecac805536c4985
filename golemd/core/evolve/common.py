"""Changing the state: frozen nouns are replaced, never changed."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from golemd.api.model import (
    SAID_BY_PEOPLE,
    Assessments,
    Attempt,
    EndedItem,
    Gate,
    Item,
    Note,
    NoteKind,
    Pause,
    Phase,
    Run,
    Status,
)
from golemd.core.index import INDEXED_OF_ITEMS, INDEXED_OF_RUNS
from golemd.core.state import State

NOTES_KEPT: Final = 40  # per phase, and what people said beyond that; the oldest go first


def put_item(state: State, item: Item, before: Item | EndedItem | None = None) -> None:
    """An item is new, or is not any more what it was `before`."""
    state.items[item.id] = item
    was = before.status if before is not None else None
    if was is not item.status:
        state.index.count(item.project, was, item.status)
    _index(state, item)
    if (was is Status.DONE) is not (item.status is Status.DONE):
        for dependant in tuple(state.index.dependants.get(item.id, ())):
            _index(state, state.items[dependant])


def _index(state: State, item: Item) -> None:
    state.index.take_item(item, state.runs.get(item.run), met=not state.unmet(item))


def put_run(state: State, run: Run) -> None:
    state.runs[run.id] = run
    state.index.take_run(run)
    item = state.items.get(run.item)
    if item is not None and item.run == run.id:
        _index(state, item)


def put_attempt(state: State, attempt: Attempt) -> None:
    state.attempts[attempt.id] = attempt
    state.index.take_attempt(attempt)


def put_gate(state: State, gate: Gate) -> None:
    state.gates[gate.id] = gate
    state.index.take_gate(gate)


def set_item(state: State, item: str, /, **changes: Any) -> None:  # noqa: ANN401 - fields of Item
    """Change the item that the record is of: it is as of that moment, so `fold` need not replace it once more."""
    before = state.items[item]
    changes["updated_at"] = state.ts
    after = replace(before, **changes)
    if INDEXED_OF_ITEMS.isdisjoint(changes):
        state.items[item] = after
    else:
        put_item(state, after, before)


def set_run(state: State, run: str, /, **changes: Any) -> None:  # noqa: ANN401 - fields of Run
    after = replace(state.runs[run], **changes)
    if INDEXED_OF_RUNS.isdisjoint(changes):
        state.runs[run] = after
    else:
        put_run(state, after)


def set_attempt(state: State, attempt: str, /, **changes: Any) -> None:  # noqa: ANN401 - fields of Attempt
    put_attempt(state, replace(state.attempts[attempt], **changes))


def phase_of(state: State, run: str, phase: str) -> Phase:
    return next(each for each in state.runs[run].phases if each.name == phase)


def set_phase(state: State, run: str, phase: str, /, **changes: Any) -> None:  # noqa: ANN401 - fields of Phase
    phases = tuple(replace(each, **changes) if each.name == phase else each for each in state.runs[run].phases)
    set_run(state, run, phases=phases)


def noted(phase: Phase, kind: NoteKind, text: str, attempt: str = "") -> tuple[Note, ...]:
    """The phase's notes with one more. What people said is never the oldest that goes."""
    if not text:
        return phase.notes
    passing = [number for number, each in enumerate(phase.notes) if each.kind not in SAID_BY_PEOPLE]
    gone = passing[0] if passing and len(phase.notes) >= NOTES_KEPT else None
    kept = tuple(each for number, each in enumerate(phase.notes) if number != gone)
    return (*kept, Note(kind, text, attempt))


def hold_if_asked(state: State, item: str) -> None:
    """A phase has come to its end, or to a human: an item that was to be paused then is."""
    if state.items[item].paused is Pause.AFTER_PHASE:
        set_item(state, item, paused=Pause.HELD)


def merged(old: Assessments, new: Assessments) -> Assessments:
    """The new assessments where there are any, else the old ones."""
    names = Assessments.__struct_fields__
    return Assessments(**{name: getattr(new, name) or getattr(old, name) for name in names})


def adopt_child(state: State, item: str, child: str) -> None:
    state.children.setdefault(item, []).append(child)


def count_failures(state: State, project: str, failures: int | None = None) -> None:
    """Count one more failed phase of a project, or set the count."""
    found = state.projects.get(project)
    if found is not None:
        state.projects[project] = replace(found, failures=found.failures + 1 if failures is None else failures)


def set_dispatch(state: State, project: str, /, **changes: Any) -> None:  # noqa: ANN401 - fields of Dispatch
    found = state.projects[project]
    state.projects[project] = replace(found, dispatch=replace(found.dispatch, **changes))
