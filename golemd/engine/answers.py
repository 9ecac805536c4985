"""The answers of changing calls: one row per call that answers with something else than an item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from golemd.api import calls, views
from golemd.api.events import ItemAdded, JournalPruned, ProjectConfigured, ProviderAvailable, Record
from golemd.api.faults import Unavailable
from golemd.api.model import ENDED, EndedItem, Item
from golemd.core import present
from golemd.core.decide.imports import MAX_LISTED
from golemd.core.state import State
from golemd.engine.context import Context
from golemd.engine.project_files import CONFIG_FILE, OLD_CONFIG_FILE
from golemd.engine.queries.common import clock
from golemd.engine.queries.daemon import project_list, seen_of


def answer(
    engine: Context, call: calls.Change[Any], project: str, item: str, note: str = "", repeated: bool = False
) -> Any:  # noqa: ANN401 - the reply that the call declares
    """What a changing call is told, from the ids of its first record (none, when nothing had to be changed)."""
    make: Callable[..., Any] = _ANSWERS.get(type(call), _about_item)
    return make(engine, call, project, item, note, repeated)


def _about_item(engine: Context, call: Any, project: str, item: str, note: str, repeated: bool) -> views.ItemView:  # noqa: ANN401
    state = engine.state
    named = item or getattr(call, "id", "") or state.gates[call.gate].item
    found: Item | EndedItem = state.known(named)
    if not note and isinstance(call, calls.GateDecide | calls.ItemUnblock | calls.ItemAdvance | calls.Resume):
        note = _waits_note(state, found)
    return present.item_view(state, found, clock(engine), note, repeated)


def _about_items(
    engine: Context, call: calls.Pause | calls.Resume, project: str, item: str, note: str, repeated: bool
) -> views.ItemView | tuple[views.ItemView, ...]:
    """The item that was named; else all those concerned, of which `note` names the ones that have changed."""
    if call.id:
        return _about_item(engine, call, project, item, note, repeated)
    state = engine.state
    changed = _of_command(engine, call.token) if repeated else note.split()
    found = [state.known(each) for each in changed]
    if isinstance(call, calls.Pause):
        others = state.items_of(state.project(call.project).name)
        found += [each for each in others if each.paused and each.id not in changed]
    told = "" if repeated else "it was paused already"
    return tuple(
        present.item_view(state, each, clock(engine), "" if each.id in changed else told, repeated)
        for each in sorted(found, key=lambda item: item.order)
    )


def _of_command(engine: Context, token: str) -> list[str]:
    """The items that the command with this token was about."""
    return [item for item in dict.fromkeys(record.item for record in _records_of(engine, token)) if item]


def _records_of(engine: Context, token: str) -> Iterator[Record]:
    """The records of the command with this token."""
    journal = engine.parts.journal
    for record in journal.scan(engine.state.tokens[token].seq - 1, journal.durable_seq):
        yield record
        if not record.more:
            break


def _waits_note(state: State, item: Item | EndedItem) -> str:
    """What a decision still needs before it takes effect."""
    if isinstance(item, Item) and item.is_held and item.status not in ENDED:
        return f"{item.id} is paused; golemctl resume {item.id} goes on with it"
    dispatch = state.projects[item.project].dispatch
    live = item.status not in ENDED
    return f"nothing is dispatched in {item.project}; golemctl run starts it" if live and not dispatch.on else ""


def _run_started(
    engine: Context, call: calls.RunStart | calls.Triage, project: str, item: str, note: str, repeated: bool
) -> views.RunStarted:
    found = engine.state.projects[project] if project else engine.state.project(call.project)
    return views.RunStarted(
        project=found.name,
        dispatch=present.dispatch_view(found.dispatch),
        since=engine.state.seq + 1 if note == "attached" else found.dispatch.seq,
        attached=note == "attached",
        repeated=repeated,
    )


def _run_stopped(
    engine: Context, call: calls.RunStop, project: str, item: str, note: str, repeated: bool
) -> views.RunStopped:
    found = engine.state.projects[project] if project else engine.state.project(call.project)
    running = present.running_attempts(engine.state, found.name)
    return views.RunStopped(
        project=found.name,
        dispatch=present.dispatch_view(found.dispatch),
        running=tuple(present.attempt_view(each, seen=seen_of(engine, each)) for each in running),
        repeated=repeated,
    )


def _project_ready(
    engine: Context, call: calls.ProjectInit, project: str, item: str, note: str, repeated: bool
) -> views.ProjectReady:
    found = engine.state.projects[project] if project else engine.state.project(call.root)
    root = Path(found.root)
    names = (CONFIG_FILE, OLD_CONFIG_FILE)
    file = next((root / name for name in names if engine.parts.files.is_there(root / name)), root / names[0])
    return views.ProjectReady(
        project=present.project_view(engine.state, found, engine.now_us()),
        config_file=str(file),
        written=note == "written",
        again=bool(note and note != "written") or repeated,
        repeated=repeated,
    )


def _removed(
    engine: Context, call: calls.ProjectRemove, project: str, item: str, note: str, repeated: bool
) -> tuple[views.ProjectView, ...]:
    return project_list(engine, calls.ProjectList())


def _reloaded(
    engine: Context, call: calls.Reload, project: str, item: str, note: str, repeated: bool
) -> views.ReloadView:
    """What was changed when the token was first used."""
    made = [(record.project, record.data) for record in _records_of(engine, call.token)]
    changed = tuple(name for name, event in made if isinstance(event, ProjectConfigured))
    return views.ReloadView(
        changed=changed,
        unchanged=tuple(name for name in engine.state.projects if name not in changed),
        available=tuple(event.provider for _, event in made if isinstance(event, ProviderAvailable)),
        repeated=repeated,
    )


def _imported(
    engine: Context, call: calls.Import, project: str, item: str, note: str, repeated: bool
) -> views.Imported:
    """What was imported when the token was first used, by its records, as it stands today."""
    added: Counter[str] = Counter()
    renamed: dict[str, str] = {}
    first = engine.state.tokens[call.token].seq
    if engine.parts.journal.durable_seq < first:
        raise Unavailable("still_recording", "The import is being recorded.", "Ask again in a moment.")
    for record in engine.parts.journal.scan(first - 1, engine.state.seq):
        if isinstance(record.data, ItemAdded):
            added[str(engine.state.known(record.item).status)] += 1
            renamed |= {record.data.source: record.item} if record.data.source else {}
        if not record.more:
            break
    listed = dict(list(renamed.items())[:MAX_LISTED])
    return views.Imported(project=project, added=dict(added), renamed=listed, repeated=repeated)


def _pruned(
    engine: Context, call: calls.JournalPrune, project: str, item: str, note: str, repeated: bool
) -> views.Pruned:
    """What was removed when the token was first used."""
    first = engine.state.tokens[call.token].seq
    if engine.parts.journal.durable_seq < first:
        raise Unavailable("still_recording", "The prune is being recorded.", "Ask again in a moment.")
    (record,) = engine.parts.journal.read([first])
    told = record.data
    assert isinstance(told, JournalPruned)
    return views.Pruned(first=told.first, segments=told.segments, bytes=told.bytes, repeated=repeated)


_ANSWERS: Final[dict[type[calls.Call[Any]], Callable[..., Any]]] = {
    calls.Import: _imported,
    calls.JournalPrune: _pruned,
    calls.Pause: _about_items,
    calls.Resume: _about_items,
    calls.RunStart: _run_started,
    calls.Triage: _run_started,
    calls.RunStop: _run_stopped,
    calls.ProjectInit: _project_ready,
    calls.ProjectRemove: _removed,
    calls.Reload: _reloaded,
}
