"""Following: the journal's durable records, and an attempt's output, as notifications on the caller's connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from golemd.adapters.journal import Place
from golemd.adapters.socket import Session, Stream
from golemd.api import calls, views
from golemd.api.events import Record, as_line
from golemd.api.wire import encode_notification
from golemd.engine import past
from golemd.engine.context import Context
from golemd.engine.effects.secrets import hidden
from golemd.engine.queries import records

LOG_LOOK_SECONDS: Final = 0.25  # between looks at a log that somebody follows; nobody looks otherwise


def _events(engine: Context, call: calls.EventsFollow) -> Stream:
    if call.item:
        engine.state.known(call.item)
    journal = engine.parts.journal
    since = journal.durable_seq + 1 if call.since is None else past.first_since(engine, call.since)

    async def produce(session: Session, msgid: int) -> None:
        sent, place, resume = since - 1, Place(), 0

        def tell(record: Record) -> bool:
            nonlocal resume
            if not records.wanted(record, call.item, call.type):
                return False
            if session.offer(encode_notification("event", {"follow": msgid, "record": as_line(record)})):
                return False
            resume = record.seq
            return True

        while True:
            until = await journal.wait_past(sent)
            await journal.scan_slices(sent, until, tell, place)
            if resume:
                session.send_last(encode_notification("lagged", {"follow": msgid, "resume_seq": resume}))
                return
            session.flush()
            sent = max(sent, until)

    pruned = None if call.since is None else past.pruned_since(engine, call.since)
    return Stream(views.FollowStarted(since=since, pruned=pruned), produce)


async def _log(engine: Context, call: calls.LogsFollow) -> Stream:
    attempt = await records.attempt_for(engine, call.id)
    values = hidden(engine, attempt)
    first = records.log_piece(engine, attempt, call.stream, call.offset, values)

    async def produce(session: Session, msgid: int) -> None:
        piece = first
        while True:
            if piece.text:
                note = {"follow": msgid, "attempt": attempt.id, "stream": call.stream}
                said = {"offset": piece.offset, "next": piece.next, "text": piece.text}
                if not session.offer(encode_notification("log", note | said)):
                    lagged = {"follow": msgid, "resume_seq": piece.offset}
                    session.send_last(encode_notification("lagged", lagged))
                    return
            if piece.ended:
                session.send_last(encode_notification("ended", {"follow": msgid}))
                return
            if not piece.text:
                await trio.sleep(LOG_LOOK_SECONDS)
            piece = records.log_piece(engine, attempt, call.stream, piece.next, values)

    return Stream(views.FollowStarted(since=first.offset, attempt=attempt.id), produce)


STREAMS: Final[dict[type[calls.Call[Any]], Callable[[Any, Any], Stream | Awaitable[Stream]]]] = {
    calls.EventsFollow: _events,
    calls.LogsFollow: _log,
}
