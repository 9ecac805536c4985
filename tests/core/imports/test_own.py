"""golemd's own format, as it is read; that it is what the writer writes is tested with the exports."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.api.model import Assessments, Brief, Past
from golemd.core.imports import own, read_export
from golemd.core.imports.entries import Backlog, Entry
from golemd.core.imports.standing import NOT_SAID

FILE: Final = "backlog.jsonl"
HEADER: Final = '{"format":"golemd","version":1}'
LINE: Final[dict[str, Any]] = {
    "id": "WRK-1",
    "title": "Add it",
    "status": "new",
    "created_at": "2026-03-01T09:00:00.123456Z",
    "updated_at": "2026-03-01T09:05:00.000000Z",
}


def read(*lines: dict[str, Any] | str, header: str = HEADER) -> Backlog:
    texts = [line if isinstance(line, str) else json.dumps({**LINE, **line}) for line in lines]
    return read_export("\n".join([header, *texts, ""]).encode(), FILE)


def one(line: dict[str, Any]) -> Entry:
    backlog = read(line)
    assert (backlog.problems, backlog.warnings) == ((), ())
    (entry,) = backlog.entries
    return entry


def test_every_key_arrives() -> None:
    entry = one(
        {
            "source": "old-1",
            "status": "blocked",
            "came_from": "scoping",
            "phase": "look",
            "gates": [
                {"kind": "question", "question": "which?", "opened_at": "x"},
                {"kind": "failure", "question": "retry?"},
            ],
            "description": "words",
            "brief": {"problem": "p"},
            "priority": 3,
            "labels": ["a"],
            "dependencies": ["b", "b", "c"],
            "pipeline": "fix",
            "base": "release/1",
            "vars": {"a": "1"},
            "size": "small",
            "risk": "high",
            "approved": {"risk": "high"},
            "origin": "WRK-0/build",
            "depth": 1,
            "summary": "s",
            "history": [{"at": "2026-01-02", "text": "later"}, {"at": "2026-01-01", "text": "done", "by": "me"}],
            "extra": {"x": 1e3, "y": [None]},
            "unknown": True,
        }
    )
    assert (entry.key, entry.source, entry.status, entry.came_from) == ("WRK-1", "old-1", "blocked", "scoping")
    assert (entry.phase, entry.questions) == ("look", ("which?", "(failure) retry?"))
    assert (entry.description, entry.brief, entry.priority, entry.labels) == ("words", Brief(problem="p"), 3, ("a",))
    assert (entry.dependencies, entry.pipeline, entry.base, entry.vars) == (("b", "c"), "fix", "release/1", {"a": "1"})
    assert (entry.assessments, entry.approved) == (Assessments(size="small", risk="high"), Assessments(risk="high"))
    assert (entry.origin, entry.depth, entry.summary) == ("WRK-0/build", 1, "s")
    assert entry.history == (
        Past("2026-01-01T00:00:00.000000Z", "done", "me"),
        Past("2026-01-02T00:00:00.000000Z", "later"),
    )
    assert entry.extra == {"x": "1000.0", "y": "[null]", "unknown": "true"}


def test_what_says_nothing_is_as_if_it_were_not_there() -> None:
    empty = {key: None for key in own.KEYS if key not in own.REQUIRED}
    assert one(empty) == one({})
    assert one({"status": "blocked"}).questions == (NOT_SAID,)


@pytest.mark.parametrize(
    ("line", "resolution"),
    [
        ({"status": "done"}, "completed"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "cancelled", "resolution": "duplicate of WRK-2"}, "duplicate of WRK-2"),
        ({"status": "ready", "resolution": "completed"}, ""),
    ],
)
def test_how_it_ended(line: dict[str, Any], resolution: str) -> None:
    assert one(line).resolution == resolution


def test_numbers_of_any_size_are_kept() -> None:
    line = json.dumps(LINE)[:-1] + ', "extra": {"x": 1e999}}'
    assert read(line).entries[0].extra == {"x": "1e999"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", 'has no header; an export begins with {"format":"golemd","version":1}'),
        ('{"format":"other"}', 'format: "other" is not known; allowed: "golemd"'),
        ('{"format":"golemd","version":2}', "version: 2 is not known; allowed: 1"),
    ],
)
def test_another_format_is_refused(header: str, message: str) -> None:
    assert f"backlog.jsonl:1: {message}" in [str(problem) for problem in read({}, header=header).problems]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"status": "open"}, 'status: unknown value "open"'),
        ({"size": "tiny"}, 'size: unknown value "tiny"'),
        ({"base": "--all"}, "base: must be a name that git accepts"),
        ({"vars": {"a b": "1"}}, 'vars."a b": must be a letter'),
        ({"vars": {"a": 1}}, "vars.a: must be a text"),
        ({"vars": {f"v{n}": "" for n in range(101)}}, "vars: holds more than 100 variables"),
        ({"vars": {"a": "x" * 100_001}}, "vars: holds more than 100 variables or 100000 characters"),
        ({"gates": [3]}, "gates[0]: must be a table"),
        ({"history": [{"text": "a"}]}, "history[0].at: is required"),
        ({"extra": 3}, "extra: must be a table"),
        ({"depth": -1}, "depth: must be between 0 and"),
        ({"priority": "1"}, "priority: must be a whole number"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(line: dict[str, Any], message: str) -> None:
    assert str(read(line).problems[0]).startswith(f"backlog.jsonl:2: {message}")


def test_an_item_that_is_there_twice_is_refused() -> None:
    assert [str(problem) for problem in read({}, {}).problems] == [
        "backlog.jsonl:3: id: there is an item WRK-1 already, on line 2"
    ]


def test_an_empty_file_has_no_items() -> None:
    assert read_export(b"", FILE) == read_export(b" \n", FILE) == Backlog()


JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["blocked", "done"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*own.KEYS, "at", "text"]), inner, max_size=4)
    ),
    max_leaves=8,
)
LINES: Final = st.dictionaries(st.sampled_from([*own.KEYS, "format", "extra", "other"]), JSON, max_size=6).map(
    lambda over: json.dumps({**LINE, **over}).encode()
)


@given(st.lists(LINES | st.binary(max_size=40), max_size=6))
def test_no_bytes_are_beyond_reading(lines: list[bytes]) -> None:
    for entry in read_export(b"\n".join([HEADER.encode(), *lines]), FILE).entries:
        for value in entry.extra.values():
            json.loads(value)
