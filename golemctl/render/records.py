"""Journal records as lines: sequence number, local time, type, item, and its data in short."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from golemctl.render.text import Look, clean, cut, moment, pad, short_hash

MAX_VALUE: Final = 60
"""Columns of one value that are shown."""
_TYPE_COLUMNS: Final = 18
_ITEM_COLUMNS: Final = 7
_UNSAID: Final = frozenset({"actor", "token", "run", "number", "index", "boot_id", "start", "shim_pid", "again_us"})
_DIGEST: Final = re.compile(r"[0-9a-f]{32,64}")


def record_lines(records: Iterable[Mapping[str, Any]], look: Look) -> list[str]:
    """One line for each record."""
    return [record_line(record, look) for record in records]


def record_line(record: Mapping[str, Any], look: Look) -> str:
    """`seq  local time  type  item  short data`."""
    kind = pad(clean(str(record.get("type", ""))), _TYPE_COLUMNS)
    item = pad(clean(str(record.get("item") or record.get("project") or "-")), _ITEM_COLUMNS)
    head = f"{record.get('seq', 0):>6}  {moment(record.get('ts'))}  {kind}  {item}"
    data = record.get("data")
    return cut(f"{head}  {short_data(data)}".rstrip() if isinstance(data, Mapping) else head.rstrip(), look.width)


def short_data(data: Mapping[str, Any]) -> str:
    """What an event says, without what is long, nested, or said elsewhere on the line."""
    pairs = ((name, _value(value)) for name, value in data.items() if name not in _UNSAID)
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
