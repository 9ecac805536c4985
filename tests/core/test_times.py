"""Moments: the same as the standard library's, and nothing else is taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.core.times import micros, span, stamp, tomorrow, utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_every_time_is_what_the_standard_library_says(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    clock = f"{naive:%H:%M:%S}.{naive.microsecond:06}Z"
    day = f"{naive.year:04}-{naive.month:02}-{naive.day:02}"
    assert micros(f"{day}T{clock}") == (moment - EPOCH) // timedelta(microseconds=1)


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_a_stamp_is_the_opposite_of_micros_but_for_the_fraction(naive: datetime) -> None:
    text = f"{naive.year:04}-{naive.month:02}-{naive.day:02}T{naive:%H:%M:%S}Z"
    assert stamp(micros(text)) == stamp(micros(text) + naive.microsecond) == text


def test_a_fraction_may_be_short_long_or_left_out() -> None:
    assert micros("1970-01-01T00:00:01Z") == 1_000_000
    assert micros("1970-01-01T00:00:01.5Z") == 1_500_000
    assert micros("1970-01-01T00:00:01.123456789Z") == 1_123_456


def test_a_leap_second_is_the_moment_after_it() -> None:
    assert micros("2016-12-31T23:59:60Z") == micros("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T09:00:00",
        "2026-11-21T09:00:00+01:00",
        "2026-11-21 09:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        micros(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.9, "00:59"), (372, "06:12"), (3599, "59:59"), (3723, "1:02:03")]
)
def test_a_span_is_told_in_minutes_and_from_an_hour_on_in_hours(seconds: float, text: str) -> None:
    assert span(seconds) == text


ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 12, 31), timezones=ZONES))
def test_any_time_becomes_utc_in_microseconds(there: datetime) -> None:
    here = there.astimezone(UTC)
    expected = f"{here.year:04}-{here:%m-%dT%H:%M:%S}.{here.microsecond:06}Z"
    assert utc(f"{there.year:04}{there.isoformat(timespec='microseconds')[4:]}") == expected
    assert utc(expected) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-03-01T09:00:00.123456789Z", "2026-03-01T09:00:00.123456Z"),
        ("2026-03-01T09:00:00Z", "2026-03-01T09:00:00.000000Z"),
        ("2026-03-01t09:00:00.5z", "2026-03-01T09:00:00.500000Z"),
        ("2026-03-01 09:00:00", "2026-03-01T09:00:00.000000Z"),
        ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
        ("2026-03-01T00:00:00.0123456789-00:30", "2026-03-01T00:30:00.012345Z"),
    ],
)
def test_short_and_long_forms_are_taken(given: str, expected: str) -> None:
    assert utc(given) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-02-30",
        "2026-13-01",
        "1969-12-31",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-01-01T25:00:00Z",
        "٢٠٢٦-01-01",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        utc(text)


@pytest.mark.parametrize("now", ["2026-11-21T00:00:00Z", "2026-11-21T12:00:00Z", "2026-11-21T23:59:59.999999Z"])
def test_tomorrow_begins_at_midnight(now: str) -> None:
    assert stamp(tomorrow(micros(now))) == "2026-11-22T00:00:00Z"
