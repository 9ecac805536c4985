"""Moments as people type them, in a zone of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from golemctl.app import Usage
from golemctl.moments import moment

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)  # 10:00 in Zurich


@pytest.fixture(autouse=True)
def zurich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("57", 57),
        ("09:59", "2026-11-20T08:59:00Z"),
        ("10:00", "2026-11-20T09:00:00Z"),
        ("10:00:01", "2026-11-19T09:00:01Z"),
        ("08:59Z", "2026-11-20T08:59:00Z"),
        ("09:01Z", "2026-11-19T09:01:00Z"),
        ("2026-11-20", "2026-11-19T23:00:00Z"),
        ("2026-07-01 10:30", "2026-07-01T08:30:00Z"),
        (" 2026-07-01T10:30:15.5 ", "2026-07-01T08:30:15.500000Z"),
        ("2026-11-20T09:11:00.123456Z", "2026-11-20T09:11:00.123456Z"),
        ("2026-11-20T09:11:00+02:00", "2026-11-20T07:11:00Z"),
    ],
)
def test_a_moment_is_local_unless_it_names_its_zone(given: str, meant: int | str) -> None:
    assert moment(given, NOW) == meant


@pytest.mark.parametrize(
    "given", ["yesterday", "10:61", "2026-02-30", "10:30 pm", "-5", "²", "", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_moment_is_refused_with_what_is_one(given: str) -> None:
    with pytest.raises(Usage, match="is neither a record nor a time") as refused:
        moment(given, NOW)
    assert "2026-11-20 10:30:15" in refused.value.hint
