"""Moments as people type them → what the daemon is asked for: the number of a record, or a UTC time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from golemctl.app import Usage

FORMS: Final = 'Such as 57, 10:30, 2026-11-20, "2026-11-20 10:30:15" or 2026-11-20T09:30:00Z.'

DIGITS: Final = 18
"""More has no record's number; the wire takes no larger ones."""


def moment(given: str, now: datetime) -> int | str:
    """`57` is a record. A date, or a date and a time, is local unless it names its zone; a date alone is its beginning.

    A time of day alone is the last one that has passed. `now` has a zone. Raises Usage `not_a_moment`.
    """
    if given.isascii() and given.isdecimal() and len(given) <= DIGITS:
        return int(given)
    try:
        found = _time(given.strip(), now).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Usage("not_a_moment", f"{given!r} is neither a record nor a time.", FORMS) from None
    return found.isoformat().replace("+00:00", "Z")


def _time(given: str, now: datetime) -> datetime:
    try:
        of_day = time.fromisoformat(given)
    except ValueError:
        return datetime.fromisoformat(given)
    today = datetime.combine(now.astimezone(of_day.tzinfo).date(), of_day)
    return today if today.astimezone(UTC) <= now else today - timedelta(days=1)
