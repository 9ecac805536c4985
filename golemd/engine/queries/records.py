"""The journal and the logs of attempts."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

import msgspec
import trio
from msgspec.structs import replace

from golemd.adapters.agents.environment import masked_piece
from golemd.api import calls, views
from golemd.api.events import Record, as_line
from golemd.api.faults import Invalid, NotFound
from golemd.api.model import ATTEMPT_OVER, Attempt, AttemptKind, AttemptState
from golemd.core import snapshot, times
from golemd.core import worklog as worklogs
from golemd.core.state import State
from golemd.engine import past
from golemd.engine.context import Context
from golemd.engine.effects.secrets import hidden
from golemd.engine.logs import LOG_PIECE, STREAMS

MAX_RECORDS: Final = 1000  # of one answer
MAX_ANSWER_BYTES: Final = 512 * 1024
_MONTH: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")


def wanted(record: Record, item: str, kind: str) -> bool:
    """Whether a record is of the item and of the type or its beginning (empty: any)."""
    return (not item or record.item == item) and record.type.startswith(kind)


async def events(engine: Context, call: calls.EventsRead) -> views.RecordsView:
    """A page of durable records. One item's are found by its trail; for all others the journal is gone through."""
    if call.item:
        engine.state.known(call.item)
    journal = engine.parts.journal
    seq, until = past.first_since(engine, call.since), journal.durable_seq
    pruned = past.pruned_since(engine, call.since)
    limit = max(1, min(call.limit, MAX_RECORDS))
    found: list[dict[str, Any]] = []
    size, following = 0, until + 1

    def visit(record: Record) -> bool:
        nonlocal size, following
        if not wanted(record, call.item, call.type):
            return False
        line = as_line(record)
        size += len(msgspec.json.encode(line))
        if found and (len(found) >= limit or size > MAX_ANSWER_BYTES):
            following = record.seq
            return True
        found.append(line)
        return False

    if call.item:
        trail = engine.state.trail.get(call.item, ())
        await journal.read_slices([each for each in trail if seq <= each <= until], visit)
    else:
        await journal.scan_slices(seq - 1, until, visit)
    return views.RecordsView(records=tuple(found), next=following, more=following <= until, pruned=pruned)


async def worklog(engine: Context, call: calls.Worklog) -> views.WorklogView:
    """What was done to a project's items in a month."""
    state, journal = engine.state, engine.parts.journal
    project = state.project(call.project).name
    month = call.month or times.stamp(engine.now_us())[:7]
    if not _MONTH.fullmatch(month):
        raise Invalid("invalid_month", f"{month[:20]!r} is no month.", "Such as 2026-11.")
    parts: list[str] = []
    first = max(call.since, journal.first, past.first_since(engine, f"{month}-01T00:00:00Z"))
    until = journal.durable_seq
    size, following = 0, until + 1

    def visit(record: Record) -> bool:
        nonlocal size, following
        if record.ts[:7] > month:
            return True
        entry = worklogs.entry_of(record) if record.project == project else None
        if entry is None:
            return False
        text = worklogs.markdown(record, entry, state.known(record.item).title)
        size += len(text)
        if parts and size > MAX_ANSWER_BYTES // 4:
            following = record.seq
            return True
        parts.append(f"{text}\n")
        return False

    await journal.scan_slices(first - 1, until, visit)
    text = "".join(parts)
    return views.WorklogView(project=project, month=month, text=text, next=following, more=following <= until)


async def attempt_for(engine: Context, named: str) -> Attempt:
    """The attempt of that id; an item, run or phase stands for its newest one that has begun, of an agent if it can."""
    if named in engine.state.attempts:
        return engine.state.attempts[named]
    item = next((each for each in (named, *_prefixes(named)) if each in engine.state.items), None)
    state: State = engine.state
    if item is None:
        item = next((each for each in (named, *_prefixes(named)) if each in engine.state.ended), None)
        if item is None:
            raise NotFound("attempt_not_found", f"There is no attempt {named[:80]!r}.", "golemctl show ID lists them.")
        state = await past.history_of(engine, item)
    if named in state.attempts:
        return state.attempts[named]
    found = [
        attempt
        for attempt in state.attempts.values()
        if attempt.item == item and (named == item or attempt.id.startswith(named + "."))
    ]
    if not found:
        raise NotFound("attempt_not_found", f"{named} has no attempt yet.", f"golemctl why {item}")
    agents = [attempt for attempt in found if attempt.kind is AttemptKind.AGENT]
    return (agents or found)[-1]


def _prefixes(named: str) -> list[str]:
    parts = named.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


async def log(engine: Context, call: calls.LogsRead) -> views.LogView:
    attempt = await attempt_for(engine, call.id)
    return log_piece(engine, attempt, call.stream, call.offset, hidden(engine, attempt))


def log_piece(engine: Context, attempt: Attempt, stream: str, offset: int, values: list[str]) -> views.LogView:
    """A piece of an attempt's output from a byte offset on, without the values of secrets."""
    if stream not in STREAMS:
        raise Invalid("invalid_stream", f"{stream[:40]!r} is no stream.", "One of: stdout, stderr.")
    if not engine.parts.runner.has_logs(attempt.id):
        message = f"The logs of {attempt.id} are gone: they are kept for logs_days after its item has ended."
        raise NotFound("logs_removed", message, f"What came of it: golemctl show {attempt.item}")
    found = engine.state.attempts.get(attempt.id)  # None when its item has ended, and been put away, since
    ended = found is None or found.state in ATTEMPT_OVER or found.state is AttemptState.EXITED
    data = engine.parts.runner.logs(attempt.id, STREAMS[stream], max(0, offset), LOG_PIECE)
    last = ended and len(data) < LOG_PIECE
    taken, text = masked_piece(data, values, last=last)
    return views.LogView(
        attempt=attempt.id,
        stream=stream,
        offset=max(0, offset),
        next=max(0, offset) + taken,
        text=text,
        ended=last,
    )


async def verify(engine: Context, call: calls.JournalVerify) -> views.VerifyView:
    """Check every line; deep: fold all durable records anew and compare with the live state as it is just now."""
    journal = engine.parts.journal
    verified = await journal.verify()
    view = views.VerifyView(
        records=verified.records,
        first=verified.first,
        segments=verified.segments,
        digest=verified.digest,
        path=str(engine.parts.state_dir / "journal.jsonl"),
    )
    return await _deeply(engine, view) if call.deep else view


async def _deeply(engine: Context, view: views.VerifyView) -> views.VerifyView:
    await engine.settled()
    taken = snapshot.picture(engine.state)
    replayed = await past.state_at(engine, taken.seq)
    live, again = await _digest(taken), await _digest(snapshot.picture(replayed))
    return replace(view, deep=True, equal=live == again, live_digest=live, replayed_digest=again)


async def _digest(taken: snapshot.Picture) -> str:
    """One hash over all that a state holds, made in slices; its index follows from the rest."""
    found = blake2b(digest_size=32)
    for piece in snapshot.pieces(taken):
        found.update(piece)
        await trio.lowlevel.checkpoint()
    return found.hexdigest()
