"""Items and gates."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from golemd.api import calls, views
from golemd.api.events import Record, as_line
from golemd.api.faults import NotFound
from golemd.api.model import EndedItem
from golemd.api.words import count
from golemd.core import gate_views, plan, present, prompt
from golemd.core.decide import deferring, gates
from golemd.engine import past, reports
from golemd.engine.context import Context
from golemd.engine.effects.places import changes_of
from golemd.engine.queries.common import clock, wanted

LAST_EVENTS: Final = 20
_DOING: Final = {plan.Flush: "Committing what", plan.Tidy: "Putting away what", plan.Examine: "Looking at what"}


async def show(engine: Context, call: calls.ItemShow) -> views.ItemDetail:
    state, folder = engine.state, str(reports.folder_of(engine))
    past.require_records(engine, call.id)
    whole = state if state.has_all_of(call.id) else await past.history_of(engine, call.id)
    item = state.known(call.id)
    events = tuple(as_line(record) for record in _last_records(engine, item.id))
    before = past.before(engine, item)
    if isinstance(item, EndedItem):
        return present.item_detail(whole, whole, whole.items[item.id], clock(engine), events, None, folder, before)
    run = state.run_of(item)
    text = None
    if call.prompt:
        if run is None:
            raise NotFound("no_prompt", f"{item.id} has no run yet, so there is no prompt.", "golemctl run")
        number = max(1, run.phase.number + (not run.phase.live))
        text = prompt.prompt_for(state, run, number, changes_of(engine, run))
    failing = _failing(engine, item.id)
    detail = present.item_detail(state, whole, item, clock(engine), events, text, folder, before)
    return detail if failing is None else replace(detail, why=" ".join(filter(None, (detail.why, failing))))


def _last_records(engine: Context, item: str) -> list[Record]:
    durable = engine.parts.journal.durable_seq
    seqs = [seq for seq in engine.state.trail.get(item, ())[-LAST_EVENTS:] if seq <= durable]
    return list(engine.parts.journal.read(seqs))


def why(engine: Context, call: calls.ItemWhy) -> views.WhyView:
    view = present.why_view(engine.state, engine.state.known(call.id), clock(engine))
    failing = _failing(engine, call.id)
    return view if failing is None else replace(view, why=f"{view.why} {failing}")


def _failing(engine: Context, item: str) -> str | None:
    """What golemd fails to do with the item's work; or with that of others, when its own phase has to wait for it."""
    state = engine.state
    waits = [run for run in state.runs_of(item) if deferring.begins(run) and not deferring.is_clear(state, run)]
    runs = [each for each in state.runs.values() if waits and each.project == waits[0].project] or state.runs_of(item)
    for run in runs:
        for effect, doing in _DOING.items():
            about = run.phase.live if effect is plan.Examine else run.id
            if reason := engine.failing.get(effect(about).key):
                return f"{doing} {run.item} has done fails: {reason}"
    return None


def gate_list(engine: Context, call: calls.GateList) -> tuple[views.GateView, ...]:
    state = engine.state
    projects = [state.project(call.project)] if call.project else list(state.projects.values())
    names, only = {project.name for project in projects}, wanted(state, projects, call.only)
    gates_of = ((gate, state.items[gate.item]) for gate in state.all_open_gates())
    return tuple(gate_views.gate_view(gate) for gate, item in gates_of if item.project in names and only.matches(item))


async def gate_show(engine: Context, call: calls.GateShow) -> views.GateDetail:
    gate = gates.find(engine.state, call.gate, then="show")
    run, detail = engine.state.runs.get(gate.run), gate_views.gate_detail(engine.state, gate)
    if run is None or not run.base_commit or not gate.content.commit:
        return detail
    root = Path(engine.state.projects[run.project].root)
    now = gate.content.tree or gate.content.commit
    stat = await engine.parts.workspaces.diffstat(root, run.base_commit, now)
    files = tuple(each.path for each in stat.files)
    changed = len(files) + stat.more
    shown = f"{count(changed, 'file')} +{stat.insertions} -{stat.deletions}" if changed else "none"
    return replace(detail, files=files, diffstat=shown)  # its item may have ended while git was asked
