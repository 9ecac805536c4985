"""The past, read back from the journal: the record of a moment, one item's story, the whole state as it was.

`events --since`, `status --at`, `show` of an ended item and reports all find their records here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from golemd.api.events import ItemAdded, Record
from golemd.api.faults import Invalid, NotFound
from golemd.api.model import EndedItem, Item, Past
from golemd.core import snapshot, times
from golemd.core.evolve import fold
from golemd.core.state import State
from golemd.engine.context import Context

_MOMENTS: Final = "A sequence number, or a UTC time such as 2026-11-20T09:00:00Z."


class Moment(Struct, frozen=True):
    """A place in the journal, and the time that is meant by it: RFC 3339, and microseconds since the epoch."""

    seq: int
    at: str
    at_us: int


# --- the record of a moment --------------------------------------------------------------------------------------


def first_since(engine: Context, since: int | str) -> int:
    """The first record at or after a sequence number or a time. Raises Invalid `invalid_since`."""
    seq, moment = _parsed(since, "since")
    return max(engine.parts.journal.first, seq) if moment is None else _first_at(engine, moment)


def pruned_since(engine: Context, since: int | str) -> int | None:
    """The first record that there is, where the one at a sequence number or a time may have been pruned."""
    first = engine.parts.journal.first
    asked, _ = _parsed(since, "since")
    return first if asked < first > 1 and first_since(engine, since) == first else None


def last_until(engine: Context, at: int | str) -> Moment:
    """The end of the last whole command at or before a time, or of the one that holds a record.

    Raises Invalid `invalid_at`, `before_the_journal`, `not_yet`.
    """
    seq, moment = _parsed(at, "at")
    if moment is not None:
        if moment > engine.now_us():
            raise _not_yet(engine, f"{at} has not come yet")
        seq = _first_at(engine, moment + 1) - 1
    if seq > engine.parts.journal.durable_seq:
        raise _not_yet(engine, f"There is no record {at} yet")
    if seq < engine.parts.journal.first:
        raise _before(engine)
    while _record(engine, seq).more:  # between the records of one command the state may look odd
        seq += 1
    ts = _record(engine, seq).ts if moment is None else str(at)
    return Moment(seq, ts, times.micros(ts))


def _parsed(given: int | str, field: str) -> tuple[int, int | None]:
    """A sequence number, or a time in microseconds."""
    if isinstance(given, int):
        return given, None
    if given.isascii() and given.isdecimal():
        return int(given), None
    try:
        return 0, times.micros(given)
    except ValueError as error:
        raise Invalid(f"invalid_{field}", f"{given[:80]!r} is neither a record nor a time.", _MOMENTS) from error


def _first_at(engine: Context, moment_us: int) -> int:
    """The first durable record at or after a time; the one to come when there is none. Times never decrease."""
    low, high = engine.parts.journal.first, engine.parts.journal.durable_seq + 1
    while low < high:
        middle = (low + high) // 2
        earlier = times.micros(_record(engine, middle).ts) < moment_us
        low, high = (middle + 1, high) if earlier else (low, middle)
    return low


def _record(engine: Context, seq: int) -> Record:
    return next(engine.parts.journal.read([seq]))


def _before(engine: Context) -> Invalid:
    first = _record(engine, engine.parts.journal.first)
    pruned = f" Records before {first.seq} were pruned." if first.seq > 1 else ""
    hint = f"What was before it is not known: golemctl status --at {first.seq}"
    return Invalid("before_the_journal", f"The journal begins at {first.ts}.{pruned}", hint, first=first.ts)


def _not_yet(engine: Context, what: str) -> Invalid:
    newest = engine.parts.journal.durable_seq
    message = f"{what}; the newest record is {newest}, of {_record(engine, newest).ts}."
    return Invalid("not_yet", message, "As it is now: golemctl status", newest=newest)


# --- the state of a moment ---------------------------------------------------------------------------------------


async def state_at(engine: Context, seq: int) -> State:
    """The whole state as it was after a durable record, folded into a fresh container in slices.

    Raises NotFound `records_pruned` when it was before what is left of the journal, or that begins with nothing.
    """
    base = engine.parts.journal.base()
    past = State() if base is None else snapshot.restored(base)
    await engine.parts.journal.scan_slices(past.seq, seq, lambda record: fold(past, record))
    return past


def before(engine: Context, item: Item | EndedItem) -> tuple[Past, ...]:
    """What happened to an item before it came here, as its first record has it."""
    first = _record(engine, item.order).data
    return first.history if isinstance(first, ItemAdded) else ()


async def item_from_records(engine: Context, item: str) -> Item | None:
    """An ended item, whole again, from its records."""
    return (await history_of(engine, item)).items.get(item)


async def history_of(engine: Context, item: str) -> State:
    """A small state of one item alone, folded from its durable records in slices.

    Raises NotFound `item_not_found`, `records_pruned`.
    """
    past = State(shrink=False)
    await visit_story(engine, item, lambda record: fold(past, record))
    return past


def require_records(engine: Context, item: str) -> None:
    """Go on when all records of an item are there. Raises NotFound `item_not_found`, `records_pruned`."""
    first, known = engine.state.first, engine.state.known(item)
    if known.order < first:
        message = f"{item} is {known.status}; its records were pruned: the journal begins with record {first}."
        raise NotFound("records_pruned", message, "What is left of it: golemctl status --all", first=first)


async def story_of(engine: Context, item: str) -> list[Record]:
    """An item's durable records, read in slices. Raises NotFound `item_not_found`, `records_pruned`."""
    found: list[Record] = []
    await visit_story(engine, item, found.append)
    return found


async def visit_story(engine: Context, item: str, visit: Callable[[Record], bool | None]) -> None:
    """Show an item's durable records one by one, in slices, until `visit` says True.

    Raises NotFound `item_not_found`, `records_pruned`.
    """
    require_records(engine, item)
    durable = engine.parts.journal.durable_seq
    await engine.parts.journal.read_slices([seq for seq in engine.state.trail[item] if seq <= durable], visit)
