"""Pause and resume: hold an item back, or all of a project, and let it go on where it was. Nothing is lost or spent.

A paused item keeps its status, its run and its gates, which can be decided meanwhile. A dispatch halts when nothing but
paused items is left; resuming turns it on again, as deciding a gate does.
"""

from __future__ import annotations

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.events import Draft, Event
from golemd.api.model import ENDED, PHASE_OVER, Item, PhaseState, Run
from golemd.core import commands as cmd
from golemd.core import slots
from golemd.core.decide import dispatches
from golemd.core.decide.common import Decided, about, is_over
from golemd.core.decide.phases import completion
from golemd.core.state import State


def pause(state: State, call: calls.Pause, command: cmd.Asked) -> Decided:
    """Hold back what is not held back yet. Without an id, `note` names the items that were not."""
    named = _meant(state, call.id, call.project)
    after = {item.id: _under_way(state.run_of(item)) if call.after_phase else "" for item in named}
    fresh = [item for item in named if not item.is_held and not (item.paused and after[item.id])]
    drafts: list[Draft] = []
    for item in fresh:
        drafts += about(item, ev.RunPaused(run=item.run, after_phase=after[item.id], actor=command.actor))
    note = _pausing(state, named[0], after[named[0].id]) if call.id else _names(fresh)
    return Decided(tuple(drafts), note=note)


def resume(state: State, call: calls.Resume, command: cmd.Asked) -> Decided:
    """Let go on what is paused; a run that came to its end meanwhile is completed. `note` as for `pause`."""
    named = _meant(state, call.id, call.project)
    paused = [item for item in named if item.paused]
    drafts: list[Draft] = []
    for item in paused:
        resumed: Event = ev.RunResumed(run=item.run, actor=command.actor)
        drafts += about(item, resumed, *_rest(state.run_of(item)))
    if paused:
        drafts += dispatches.again(state, paused[0].project)
    note = "" if paused else f"{call.id} is not paused"
    return Decided(tuple(drafts), note=note if call.id else _names(paused))


def _meant(state: State, item: str, project: str) -> list[Item]:
    """The item of that id; without one, every item of the project that has not ended."""
    if item:
        return [state.item(item)]
    return [each for each in state.items_of(state.project(project).name) if each.status not in ENDED]


def _names(items: list[Item]) -> str:
    return " ".join(item.id for item in items)


def _under_way(run: Run | None) -> str:
    """The name of the run's phase, when it has begun, and neither ended nor come to a human."""
    if run is None or not run.phase.started_at or run.phase.state in (*PHASE_OVER, PhaseState.AWAITING_GATE):
        return ""
    return run.phase.name


def _pausing(state: State, item: Item, after_phase: str) -> str:
    """What is said of an item that is paused, or that was paused already."""
    run = state.run_of(item)
    if item.is_held:
        return f"{item.id} is paused already"
    if after_phase:
        already = " already" if item.paused else ""
        return f"{item.id} is{already} to be paused when its phase {after_phase} has ended"
    if run is not None and slots.has_process(state, run):
        return f"its attempt {run.phase.live} is asked to end; what it has done is kept"
    return ""


def _rest(run: Run | None) -> tuple[Event, ...]:
    """What a run that is through with its phases still lacks."""
    through = run is not None and not is_over(run) and run.index >= len(run.phases)
    return completion(run.id, run.head) if run is not None and through else ()
