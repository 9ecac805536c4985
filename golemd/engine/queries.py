"""Looking: one row per query, and the answers of changing calls, both made of the state as it is now."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

import golemd
from golemd.adapters import workspace
from golemd.api import calls, views
from golemd.api.events import Record, as_line
from golemd.api.faults import Invalid, NotFound
from golemd.api.model import ATTEMPT_OVER, Attempt, AttemptState, EndedItem, Item
from golemd.core import present, prompt, times
from golemd.core.configuration import digest
from golemd.core.decide import gates
from golemd.core.evolve import fold
from golemd.core.state import State
from golemd.engine import prepare
from golemd.engine.context import Context
from golemd.engine.logs import LOG_PIECE, STREAMS

LAST_EVENTS: Final = 20
MAX_RECORDS: Final = 1000  # of one answer
MAX_ANSWER_BYTES: Final = 512 * 1024


def clock(engine: Context) -> present.Clock:
    """The moment and limits that views are made with."""
    return present.Clock(engine.now_us(), engine.limits)


# --- the daemon --------------------------------------------------------------------------------------------------


def _ping(engine: Context, call: calls.Ping) -> views.Pong:
    return views.Pong(
        version=golemd.__version__, pid=os.getpid(), seq=engine.state.seq, state_dir=str(engine.parts.state_dir)
    )


def _describe(engine: Context, call: calls.Describe) -> dict[str, Any]:
    return calls.describe()


def daemon_view(engine: Context) -> views.DaemonView:
    """The daemon itself."""
    journal = engine.parts.journal
    full = "the disk is full: nothing is launched and changing calls are refused until there is room"
    return views.DaemonView(
        version=golemd.__version__,
        pid=os.getpid(),
        uptime_s=round(trio.current_time() - engine.started_at, 3),
        seq=engine.state.seq,
        durable_seq=journal.durable_seq,
        state_dir=str(engine.parts.state_dir),
        instance=engine.parts.instance,
        degraded=full if journal.degraded else None,
        stopping=bool(engine.stopping),
    )


def shutdown_view(engine: Context, keep: bool) -> views.ShutdownView:
    """What a stop will do to running attempts."""
    running = tuple(each.id for each in engine.state.attempts.values() if each.state is AttemptState.SPAWNED)
    return views.ShutdownView(pid=os.getpid(), ending=running, kept=keep)


def _status(engine: Context, call: calls.Status) -> views.StatusView:
    state = engine.state
    engine.parts.journal.poke()
    projects = [state.project(call.project)] if call.project else list(state.projects.values())
    seen = {each.id: seen_of(engine, each) for each in present.running_attempts(state)}
    return present.status_view(state, projects, call.all, clock(engine), daemon_view(engine), seen)


def seen_of(engine: Context, attempt: Attempt) -> present.Seen:
    """The end of an attempt's output."""
    runner = engine.parts.runner
    return present.Seen(runner.last_output_at(attempt.id), tuple(runner.tail(attempt.id)))


def _projects(engine: Context, call: calls.ProjectList) -> tuple[views.ProjectView, ...]:
    return tuple(present.project_view(engine.state, project) for project in engine.state.projects.values())


# --- items and gates ---------------------------------------------------------------------------------------------


def _show(engine: Context, call: calls.ItemShow) -> views.ItemDetail:
    state, item = engine.state, engine.state.known(call.id)
    events = tuple(as_line(record) for record in _last_records(engine, item.id))
    if isinstance(item, EndedItem):
        past = prepare.history_of(engine, item.id)
        return present.item_detail(past, past, past.items[item.id], clock(engine), events, None)
    run = state.run_of(item)
    text = None
    if call.prompt:
        if run is None:
            raise NotFound("no_prompt", f"{item.id} has no run yet, so there is no prompt.", "golemctl run")
        text = prompt.prompt_for(state, run, max(1, run.phase.number + (not run.phase.live)))
    reopened = item.runs > sum(child in state.runs for child in state.children.get(item.id, ()))
    past = prepare.history_of(engine, item.id) if reopened else state
    return present.item_detail(state, past, item, clock(engine), events, text)


def _last_records(engine: Context, item: str) -> list[Record]:
    durable = engine.parts.journal.durable_seq
    seqs = [seq for seq in engine.state.trail.get(item, ())[-LAST_EVENTS:] if seq <= durable]
    return list(engine.parts.journal.read(seqs))


def _why(engine: Context, call: calls.ItemWhy) -> views.WhyView:
    return present.why_view(engine.state, engine.state.known(call.id), clock(engine))


def _gates(engine: Context, call: calls.GateList) -> tuple[views.GateView, ...]:
    state = engine.state
    project = state.project(call.project).name if call.project else ""
    return tuple(
        present.gate_view(gate)
        for gate in state.all_open_gates()
        if not project or state.items[gate.item].project == project
    )


async def _gate(engine: Context, call: calls.GateShow) -> views.GateDetail:
    gate = gates.find(engine.state, call.gate)
    run = engine.state.runs[gate.run]
    if not run.base_commit or not gate.content.commit:
        return present.gate_detail(engine.state, gate)
    root = Path(engine.state.projects[run.project].root)
    stat = await workspace.diffstat(engine.parts.git, root, run.base_commit, gate.content.tree or gate.content.commit)
    files = tuple(each.path for each in stat.files)
    count = len(files) + stat.more
    shown = f"{count} file{'' if count == 1 else 's'} +{stat.insertions} -{stat.deletions}"
    return present.gate_detail(engine.state, gate, files, shown)


# --- the journal and the logs ------------------------------------------------------------------------------------


def first_seq(engine: Context, since: int | str) -> int:
    """The first record at or after a sequence number or an RFC 3339 UTC time."""
    if isinstance(since, int):
        return max(1, since)
    if since.isdecimal():
        return max(1, int(since))
    try:
        moment = times.micros(since)
    except ValueError as error:
        hint = "A sequence number, or a UTC time such as 2026-11-20T09:00:00Z."
        raise Invalid("invalid_since", f"{since!r} is neither.", hint) from error
    low, high = 1, engine.parts.journal.durable_seq + 1
    while low < high:
        middle = (low + high) // 2
        record = next(iter(engine.parts.journal.read([middle])))
        low, high = (middle + 1, high) if times.micros(record.ts) < moment else (low, middle)
    return low


def wanted(record: Record, item: str, kind: str) -> bool:
    """Whether a record is of the item and of the type or its beginning (empty: any)."""
    return (not item or record.item == item) and record.type.startswith(kind)


def _events(engine: Context, call: calls.EventsRead) -> views.RecordsView:
    journal = engine.parts.journal
    seq = first_seq(engine, call.since)
    limit = max(1, min(call.limit, MAX_RECORDS))
    found: list[dict[str, Any]] = []
    size = 0
    for record in journal.scan(seq - 1, journal.durable_seq):
        if wanted(record, call.item, call.type):
            line = as_line(record)
            size += len(msgspec.json.encode(line))
            if found and (len(found) >= limit or size > MAX_ANSWER_BYTES):
                return views.RecordsView(records=tuple(found), next=record.seq, more=True)
            found.append(line)
    return views.RecordsView(records=tuple(found), next=journal.durable_seq + 1)


def attempt_for(engine: Context, named: str) -> Attempt:
    """The attempt of that id; an item, run or phase stands for its newest one that has begun."""
    if named in engine.state.attempts:
        return engine.state.attempts[named]
    item = next((each for each in (named, *_prefixes(named)) if each in engine.state.items), None)
    state: State = engine.state
    if item is None:
        item = next((each for each in (named, *_prefixes(named)) if each in engine.state.ended), None)
        if item is None:
            raise NotFound("attempt_not_found", f"There is no attempt {named[:80]!r}.", "golemctl show ID lists them.")
        state = prepare.history_of(engine, item)
    if named in state.attempts:
        return state.attempts[named]
    found = [
        attempt
        for attempt in state.attempts.values()
        if attempt.item == item and (named == item or attempt.id.startswith(named + "."))
    ]
    if not found:
        raise NotFound("attempt_not_found", f"{named} has no attempt yet.", f"golemctl why {item}")
    return found[-1]


def _prefixes(named: str) -> list[str]:
    parts = named.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _log(engine: Context, call: calls.LogsRead) -> views.LogView:
    attempt = attempt_for(engine, call.id)
    return log_piece(engine, attempt, call.stream, call.offset)


def log_piece(engine: Context, attempt: Attempt, stream: str, offset: int) -> views.LogView:
    """A piece of an attempt's output from a byte offset on."""
    if stream not in STREAMS:
        raise Invalid("invalid_stream", f"{stream[:40]!r} is no stream.", "One of: stdout, stderr.")
    found = engine.state.attempts.get(attempt.id)  # None when its item has ended, and been put away, since
    ended = found is None or found.state in ATTEMPT_OVER or found.state is AttemptState.EXITED
    data = engine.parts.runner.logs(attempt.id, STREAMS[stream], max(0, offset), LOG_PIECE)
    cut = _whole_characters(data) if len(data) == LOG_PIECE or not ended else data
    following = max(0, offset) + len(cut)
    return views.LogView(
        attempt=attempt.id,
        stream=stream,
        offset=max(0, offset),
        next=following,
        text=cut.decode("utf-8", "replace"),
        ended=ended and len(data) < LOG_PIECE,
    )


def _whole_characters(data: bytes) -> bytes:
    """Bytes without a character that is cut off at the end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < needed else data
    return data


async def _verify(engine: Context, call: calls.JournalVerify) -> views.VerifyView:
    """Check every line; deep: fold all durable records anew and compare with the live state at that record."""
    journal = engine.parts.journal
    verified = await journal.verify()
    path = str(engine.parts.state_dir / "journal.jsonl")
    if not call.deep:
        return views.VerifyView(records=verified.records, segments=verified.segments, digest=verified.digest, path=path)
    replayed = State()
    while replayed.seq < engine.state.seq:
        await engine.settled()
        await journal.scan_slices(replayed.seq, journal.durable_seq, lambda record: fold(replayed, record))
    live, again = state_digest(engine.state), state_digest(replayed)
    return views.VerifyView(
        records=verified.records,
        segments=verified.segments,
        digest=verified.digest,
        deep=True,
        equal=live == again,
        live_digest=live,
        replayed_digest=again,
        path=path,
    )


def state_digest(state: State) -> str:
    """One hash over all that the state holds."""
    whole = {name: value for name, value in vars(state).items() if name not in ("trail", "shrink")}
    whole["trail"] = {item: list(seqs) for item, seqs in state.trail.items()}
    return digest(whole)


# --- answers of changing calls -----------------------------------------------------------------------------------


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
    if not note and isinstance(call, calls.GateDecide | calls.ItemUnblock):
        note = _dispatch_note(state, found)
    return present.item_view(state, found, clock(engine), note, repeated)


def _dispatch_note(state: State, item: Item | EndedItem) -> str:
    dispatch = state.projects[item.project].dispatch
    live = isinstance(item, Item) and str(item.status) not in ("done", "cancelled")
    return f"nothing is dispatched in {item.project}; golemctl run starts it" if live and not dispatch.on else ""


def _run_started(
    engine: Context, call: calls.RunStart, project: str, item: str, note: str, repeated: bool
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
    names = (prepare.CONFIG_FILE, prepare.OLD_CONFIG_FILE)
    file = next((root / name for name in names if (root / name).exists()), root / names[0])
    return views.ProjectReady(
        project=present.project_view(engine.state, found),
        config_file=str(file),
        written=note == "written",
        again=bool(note and note != "written") or repeated,
        repeated=repeated,
    )


def _removed(
    engine: Context, call: calls.ProjectRemove, project: str, item: str, note: str, repeated: bool
) -> tuple[views.ProjectView, ...]:
    lock = engine.held.pop(project, None) if project not in engine.state.projects else None
    if lock is not None:
        lock.release()
    return _projects(engine, calls.ProjectList())


def _reloaded(
    engine: Context, call: calls.Reload, project: str, item: str, note: str, repeated: bool
) -> views.ReloadView:
    names = tuple(engine.state.projects)
    changed = tuple(name for name in names if name in (project, *note.split()))
    return views.ReloadView(changed=changed, unchanged=tuple(name for name in names if name not in changed))


_ANSWERS: Final[dict[type[calls.Call[Any]], Callable[..., Any]]] = {
    calls.RunStart: _run_started,
    calls.RunStop: _run_stopped,
    calls.ProjectInit: _project_ready,
    calls.ProjectRemove: _removed,
    calls.Reload: _reloaded,
}

QUERIES: Final[dict[type[calls.Call[Any]], Callable[[Any, Any], Any | Awaitable[Any]]]] = {
    calls.Ping: _ping,
    calls.Describe: _describe,
    calls.Status: _status,
    calls.ProjectList: _projects,
    calls.ItemShow: _show,
    calls.ItemWhy: _why,
    calls.GateList: _gates,
    calls.GateShow: _gate,
    calls.EventsRead: _events,
    calls.LogsRead: _log,
    calls.JournalVerify: _verify,
}
SLOW: Final = frozenset({calls.GateShow, calls.JournalVerify})  # they ask git or read the whole journal
