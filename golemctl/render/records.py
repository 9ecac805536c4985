"""Journal records as lines: sequence number, local time, type, item, and its data in short."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from golemctl.render.text import Look, clean, clock, cut, moment, pad, short_hash

MAX_VALUE: Final = 60
"""Columns of one value that are shown."""
_TYPE_COLUMNS: Final = 18
_ITEM_COLUMNS: Final = 7
_UNSAID: Final = frozenset({"actor", "token", "run", "number", "index", "boot_id", "start", "shim_pid", "again_us"})
_DIGEST: Final = re.compile(r"[0-9a-f]{32,64}")


def pruned_note(first: int) -> str:
    """What is said where records were asked for that are not there any more."""
    return f"Records before {first} were pruned; these are the ones that are left."


def record_line(record: Mapping[str, Any], look: Look) -> str:
    """`seq  local time  type  item  short data`."""
    item = pad(clean(str(record.get("item") or record.get("project") or "-")), _ITEM_COLUMNS)
    return _line(record, moment(record.get("ts")), f"  {item}", look)


def item_record_lines(records: Iterable[Mapping[str, Any]], look: Look) -> list[str]:
    """One line for each record of one item, which is not named again."""
    return [_line(record, clock(record.get("ts")), "", look) for record in records]


def _line(record: Mapping[str, Any], when: str, item: str, look: Look) -> str:
    kind = pad(clean(str(record.get("type", ""))), _TYPE_COLUMNS)
    data = record.get("data")
    said = short_data(data, str(record.get("item"))) if isinstance(data, Mapping) else ""
    return cut(f"{record.get('seq', 0):>6}  {when}  {kind}{item}  {said}".rstrip(), look.width)


def short_data(data: Mapping[str, Any], item: str) -> str:
    """What an event says, without what is long, nested, or said elsewhere on the line, such as the item in ids."""
    pairs = ((name, _value(value).removeprefix(f"{item}.")) for name, value in data.items() if name not in _UNSAID)
    return "  ".join(f"{name}={value}" for name, value in pairs if value)


def _value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    if not isinstance(value, str):
        return ""
    if _DIGEST.fullmatch(value):
        return short_hash(value)
    return cut(clean(value), MAX_VALUE)
