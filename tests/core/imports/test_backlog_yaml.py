"""BACKLOG.yaml of every version: nothing is lost, and whatever is wrong is said with its line."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from golemd.api.model import Assessments, Brief, Status
from golemd.core.imports import backlog_yaml, read_store, yaml_rows
from golemd.core.imports.entries import Backlog, Entry
from golemd.core.imports.standing import NOT_SAID, REVIEW
from tests.core.imports.stores import STORES, Item

ITEM: Final = """\
schema_version: 3
items:
- id: WRK-001
  title: Add it
  status: {status}
  created: 2026-02-12T16:23:33.711239234+00:00
  updated: 2026-02-20T02:22:50+01:00
"""


def read(text: str) -> Backlog:
    return backlog_yaml.read({"BACKLOG.yaml": text.encode()})


def one(more: str = "", status: str = "new") -> Entry:
    backlog = read(ITEM.format(status=status) + more)
    assert backlog.problems == ()
    (entry,) = backlog.entries
    return entry


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_file_of_every_version_is_read_without_loss(version: int) -> None:
    backlog, files = STORES[f"BACKLOG.yaml v{version}"](100, 500)
    read = read_store(files)
    assert (read.problems, read.warnings) == ((), ())
    entries = {entry.key: entry for entry in read.entries}
    written = [item for item in backlog if item["status"] != "merged"]
    assert len(entries) == len(written) == 580
    for item in written:
        assert_same(entries[item["id"]], item, version)


def assert_same(entry: Entry, item: Item, version: int) -> None:
    """An entry says what its item was written from."""
    assert (entry.status, entry.title, entry.labels) == (item["status"], item["title"], tuple(item["tags"]))
    assert (entry.dependencies, entry.origin) == (tuple(item["dependencies"]), item["origin"] or "")
    assert entry.assessments == Assessments(*(item[name] or "" for name in Assessments.__struct_fields__))
    assert (entry.created_at, entry.updated_at) == (item["created"][:26] + "Z", item["updated"] + "Z")
    if item["status"] == "blocked":
        assert (entry.came_from, entry.questions) == (item["came_from"], (item["blocked_reason"],))
    old_scoping = version == 1 and item["status"] == "scoping"
    assert entry.phase == ("" if old_scoping else item["phase"] or "")
    kept = {key: json.loads(value) for key, value in entry.extra.items()}
    assert kept.get("last_phase_commit") == (item["commit"] if version > 1 else None)
    assert kept.get("phase") == (item["phase"] if old_scoping else None)
    assert entry.pipeline == ("feature" if version > 1 else "")
    if version == 1 or item["context"] is None:
        assert (entry.description, entry.brief) == ("", Brief())
    elif version == 2:
        assert (entry.description, entry.brief) == (item["context"], Brief())
    else:
        assert (entry.description, entry.brief) == ("", Brief(item["context"], item["problem"]))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("new", "new"),
        ("researching", "scoping"),
        ("scoping", "scoping"),
        ("scoped", "ready"),
        ("ready", "ready"),
        ("in_progress", "in_progress"),
        ("done", "done"),
        ("blocked", "blocked"),
    ],
)
def test_every_status_of_every_version_is_known(word: str, status: str) -> None:
    entry = one(status=word)
    assert entry.status == status
    assert entry.questions == ((NOT_SAID,) if status == "blocked" else ())
    assert entry.resolution == ("completed" if status == "done" else "")


def test_what_was_blocked_knows_where_it_came_from() -> None:
    more = "  blocked_from_status: researching\n  blocked_reason: which?\n  blocked_type: clarification\n"
    entry = one(more, status="blocked")
    assert (entry.came_from, entry.questions) == ("scoping", ("which?",))
    assert entry.extra == {"blocked_type": '"clarification"'}
    assert set(one(more).extra) == {"blocked_type", "blocked_reason", "blocked_from_status"}


def test_what_was_marked_for_review_asks() -> None:
    entry = one("  requires_human_review: true\n  unblock_context: take the first\n")
    assert (entry.status, entry.questions) == (Status.BLOCKED, (REVIEW,))
    assert entry.description == "A human's answer: take the first"


def test_plain_words_mean_what_yaml_1_2_says() -> None:
    more = (
        "  tags: [yes, on, 2026-01-01, 1_000, 0x10]\n  x: 0o7\n  y: ~\n  z: [1, -2, 1.5, .5, 1e3, 1e999, true, null]\n"
    )
    entry = one(more + "  big: " + "9" * 30 + "\n  bigger: " + "9" * 500 + "\n")
    assert entry.labels == ("yes", "on", "2026-01-01", "1_000", "0x10")
    kept = {key: json.loads(value) for key, value in entry.extra.items()}
    assert kept["x"] == "0o7"
    assert "y" not in kept
    assert kept["z"] == [1, -2, 1.5, 0.5, 1000.0, "1e999", True, None]
    assert (kept["big"], kept["bigger"]) == (int("9" * 30), "9" * 500)


def test_quoted_words_are_texts() -> None:
    assert one("  tags: ['true', \"null\", '5']\n").labels == ("true", "null", "5")


def test_the_inbox_is_read_beside_it() -> None:
    inbox = b"- title: One\n  description: >\n    Some\n    words\n  size: small\n  impact: tiny\n- title: One\n- {}\n"
    backlog = backlog_yaml.read({"BACKLOG.yaml": ITEM.format(status="new").encode(), "BACKLOG_INBOX.yaml": inbox})
    assert [(entry.key, entry.description, entry.assessments.size) for entry in backlog.entries] == [
        ("WRK-001", "", ""),
        ("inbox: One", "Some words\n", "small"),
        ("inbox: One (2)", "", ""),
    ]
    assert [str(problem) for problem in backlog.problems] == ["BACKLOG_INBOX.yaml:8: title: is required"]
    assert [str(warning).split(";")[0] for warning in backlog.warnings] == [
        'BACKLOG_INBOX.yaml:6: impact: unknown value "tiny"'
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "2: is not valid YAML: did not find expected node content"),
        ("[" * 2000, "1: is not valid YAML: exceeded maximum nesting depth"),
        ("a: *b", "1: is not valid YAML: found undefined alias"),
        ("a: \x07", "1: is not valid YAML: unacceptable character #x0007: control characters are not allowed"),
        ("text", "1: is no backlog: it has no items"),
        ("- a", "1: is no backlog: it has no items"),
        ("schema_version: 4", "1: schema_version: 4 is not known; allowed: 1, 2, 3"),
        ("x: 1\nschema_version: {a: b}", "2: schema_version: {'a': 'b'} is not known; allowed: 1, 2, 3"),
        ("items: 3", "1: must be a list of items"),
        ("items:\n- a\n", "2: is no item: it has no keys"),
        ("items:\n- id: a\n  id: b\n", "3: id: is there already"),
        ("items: []\n? [a]\n: b\n", "2: has a key that is no text"),
        ("items: &a\n- *a\n", "1: is an alias of something else; write it out"),
    ],
)
def test_what_is_broken_is_told_with_its_line(text: str, message: str) -> None:
    assert f"BACKLOG.yaml:{message}" in problems(text)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  size: tiny\n", ""),
        ("  tags:\n  - a\n  - 3\n", "10: tags[1]: must be a text, not a whole number"),
        ("  title: 3\n", "8: title: is there already"),
        ("  description: 3\n", "8: description: must be a table, not a whole number"),
        (
            "- id: WRK-001\n  title: b\n  status: new\n  created: 2026-01-01\n  updated: 2026-01-01\n",
            "8: id: there is an",
        ),
        ("- id: WRK-002\n  status: open\n", '9: status: unknown value "open"'),
        ("- id: WRK-002\n  status: open\n", "8: title: is required"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(more: str, message: str) -> None:
    told = problems(ITEM.format(status="new") + more)
    assert any(each.startswith(f"BACKLOG.yaml:{message}") for each in told) if message else not told


def test_bytes_that_are_no_text_are_told() -> None:
    assert [str(each) for each in backlog_yaml.read({"BACKLOG.yaml": b"a: \xff"}).problems] == [
        "BACKLOG.yaml:1: is not UTF-8"
    ]


def test_an_empty_file_has_no_items() -> None:
    assert read("") == read("schema_version: 1\n") == read("items:\n") == Backlog()


def test_the_reader_written_in_python_is_as_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_rows, "_LOADER", yaml.BaseLoader)
    assert problems("[" * 100_000) == ["BACKLOG.yaml:1: is nested too deeply"]
    assert problems('schema_version: "\\ud800"')[0] == "BACKLOG.yaml:1: is not plain Unicode text"
    assert one(status="ready").status == "ready"


WORDS: Final = st.sampled_from(
    [*backlog_yaml.KEYS, "new", "items", "schema_version", "~", "true", "3", "1e5", "&a", "*a"]
)
LINES: Final = st.tuples(
    st.integers(0, 3), st.sampled_from(["", "- ", "? ", "| "]), WORDS, st.sampled_from(["", ": ", ":"])
)
TEXTS: Final = st.lists(LINES.flatmap(lambda line: WORDS.map(lambda word: (*line, word))), max_size=12).map(
    lambda lines: "\n".join(" " * depth + mark + key + colon + word for depth, mark, key, colon, word in lines)
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=60) | TEXTS.map(str.encode) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_are_beyond_reading(data: bytes) -> None:
    for name in backlog_yaml.FILES:
        assert isinstance(read_store({name: data}), Backlog)


@given(st.lists(st.dictionaries(st.sampled_from(list(backlog_yaml.KEYS)), VALUES, max_size=8), max_size=4))
def test_no_items_are_beyond_reading(items: list[dict[str, Any]]) -> None:
    good = {"id": "a", "title": "b", "status": "new", "created": "2026-01-01", "updated": "2026-01-01"}
    whole = {"items": [{**good, **item} for item in items]}
    backlog = read_store({"BACKLOG.yaml": json.dumps(whole).encode()})
    for entry in backlog.entries:
        assert (entry.status is Status.BLOCKED) == bool(entry.questions)
        for value in entry.extra.values():
            json.loads(value)
