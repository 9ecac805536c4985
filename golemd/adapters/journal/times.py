"""Microseconds since the epoch ↔ RFC 3339 in UTC, as the journal writes it: `2026-11-20T09:11:00.123456Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(us: int) -> str:
    """Always with six decimals, so that text order is time order."""
    seconds, rest = divmod(us, 1_000_000)
    return f"{_whole_second(seconds)}.{rest:06d}Z"


def microseconds(ts: str) -> int:
    """The inverse. Faults: ValueError."""
    moment = datetime.fromisoformat(ts)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {ts!r}")
    return (moment - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
