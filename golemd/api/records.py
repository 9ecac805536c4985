"""A Record is an event with its place in the journal: what all facts have in common.

A Draft is an event that has not happened yet; the journal makes a Record of it. The facts themselves are in `events`.
"""

from typing import Any, ClassVar

from msgspec import Struct, to_builtins


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all facts."""

    TYPE: ClassVar[str] = ""


class Draft(Struct, frozen=True):
    """An event that has not happened yet: what `decide` returns and the journal stages."""

    event: Event
    project: str = ""
    item: str = ""
    cause: str = ""


class Record(Struct, frozen=True, kw_only=True):
    """One line of the journal. Empty strings stand for absent keys; `ts` is RFC 3339 UTC with microseconds."""

    v: int = 1
    seq: int
    d: int
    ts: str
    type: str
    project: str = ""
    item: str = ""
    cause: str = ""
    more: bool = False
    body: str = ""
    data: Event
    prev: str
    h: str


def as_line(record: Record) -> dict[str, Any]:
    """A record in the journal's own shape: the same keys in the same order, absent ones left out."""
    line: dict[str, Any] = {"v": record.v, "seq": record.seq, "d": record.d, "ts": record.ts, "type": record.type}
    line |= {name: value for name in ("project", "item", "cause") if (value := getattr(record, name))}
    line |= {"more": True} if record.more else {}
    line |= {"body": record.body} if record.body else {}
    return line | {"data": to_builtins(record.data), "prev": record.prev, "h": record.h}
