"""Moments as microseconds since the epoch, and as the RFC 3339 strings that records carry. Pure arithmetic."""

from __future__ import annotations

import re
from typing import Final

DAY_US: Final = 86_400_000_000
_FORM: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z")
_LAST_US: Final = 253_402_300_800_000_000  # the end of the year 9999
_ANY: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))?)?", re.ASCII
)


def micros(stamp: str) -> int:
    """Microseconds since the epoch of an RFC 3339 UTC time. Raises ValueError for anything else."""
    match = _FORM.fullmatch(stamp)
    if match is None:
        raise ValueError(f"not an RFC 3339 UTC time: {stamp!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        raise ValueError(f"not a time: {stamp!r}")
    fraction = int((match[7] or "0").ljust(6, "0")[:6])
    return _days(year, month, day) * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction


def utc(moment: str) -> str:
    """An RFC 3339 time, or a date, as records write it: UTC, in microseconds, finer ones cut off. Raises ValueError."""
    match = _ANY.fullmatch(moment)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {moment[:40]!r}")
    date, clock, fraction, sign, hours, minutes = match.groups()
    year, month, day = (int(part) for part in date.split("-"))
    if _date(_days(year, month, day)) != (year, month, day) or int(hours or 0) > 23 or int(minutes or 0) > 59:
        raise ValueError(f"not a time: {moment!r}")
    ahead_us = (int(hours or 0) * 60 + int(minutes or 0)) * 60_000_000
    there_us = micros(f"{date}T{clock or '00:00:00'}.{fraction or '0'}Z")
    here_us = there_us + ahead_us if sign == "-" else there_us - ahead_us
    if not 0 <= here_us < _LAST_US:
        raise ValueError(f"not between 1970 and 9999: {moment!r}")
    return f"{stamp(here_us)[:-1]}.{here_us % 1_000_000:06}Z"


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar; years are taken to begin in March."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def stamp(moment_us: int) -> str:
    """The RFC 3339 UTC time, in whole seconds, of microseconds since the epoch: the opposite of `micros`."""
    days, rest = divmod(moment_us, DAY_US)
    seconds = rest // 1_000_000
    year, month, day = _date(days)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}Z"


def tomorrow(moment_us: int) -> int:
    """The beginning of the day (UTC) after a moment."""
    return (moment_us // DAY_US + 1) * DAY_US


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day of days since 1970-01-01; the opposite of `_days`."""
    era, of_era = divmod(days + 719_468, 146_097)
    of_years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * of_years + of_years // 4 - of_years // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + of_years + (month <= 2), month, day


def span(seconds: float) -> str:
    """A duration for people: 06:12, or 1:02:03 from an hour on."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
