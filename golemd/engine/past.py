"""The past, read back from the journal: the record of a moment, one item's story, the whole state as it was.

`events --since`, `status --at`, `show` of an ended item and reports all find their records here.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from golemd.api.events import ItemAdded, Record
from golemd.api.faults import Invalid
from golemd.api.model import EndedItem, Item, Past
from golemd.core import times
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
    return max(1, seq) if moment is None else _first_at(engine, moment)


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
    if seq < 1:
        first = _record(engine, 1)
        hint = "What was before it is not known: golemctl status --at 1"
        raise Invalid("before_the_journal", f"The journal begins at {first.ts}.", hint, first=first.ts)
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
    low, high = 1, engine.parts.journal.durable_seq + 1
    while low < high:
        middle = (low + high) // 2
        earlier = times.micros(_record(engine, middle).ts) < moment_us
        low, high = (middle + 1, high) if earlier else (low, middle)
    return low


def _record(engine: Context, seq: int) -> Record:
    return next(engine.parts.journal.read([seq]))


def _not_yet(engine: Context, what: str) -> Invalid:
    newest = engine.parts.journal.durable_seq
    message = f"{what}; the newest record is {newest}, of {_record(engine, newest).ts}."
    return Invalid("not_yet", message, "As it is now: golemctl status", newest=newest)


# --- the state of a moment ---------------------------------------------------------------------------------------


async def state_at(engine: Context, seq: int) -> State:
    """The whole state as it was after a durable record, folded into a fresh container in slices."""
    past = State()
    await engine.parts.journal.scan_slices(0, seq, lambda record: fold(past, record))
    return past


def before(engine: Context, item: Item | EndedItem) -> tuple[Past, ...]:
    """What happened to an item before it came here, as its first record has it."""
    first = _record(engine, item.order).data
    return first.history if isinstance(first, ItemAdded) else ()


def item_from_records(engine: Context, item: str) -> Item | None:
    """An ended item, whole again, from its records."""
    return history_of(engine, item).items.get(item)


def history_of(engine: Context, item: str) -> State:
    """A small state of one item alone, folded from its records."""
    past = State(shrink=False)
    for record in engine.parts.journal.read(engine.state.trail.get(item, ())):
        fold(past, record)
    return past


async def story_of(engine: Context, item: str) -> list[Record]:
    """An item's durable records, read in slices."""
    durable = engine.parts.journal.durable_seq
    found: list[Record] = []
    await engine.parts.journal.read_slices([seq for seq in engine.state.trail[item] if seq <= durable], found.append)
    return found
