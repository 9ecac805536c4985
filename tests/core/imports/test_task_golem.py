"""task-golem's stores: nothing of them is lost, and whatever is wrong with them is said with its place."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.api.model import Assessments, Brief, Past, Status
from golemd.core.imports import read_store, task_golem
from golemd.core.imports.entries import MAX_ENTRY_BYTES, Backlog, Entry
from golemd.core.imports.fields import MAX_HISTORY
from golemd.core.imports.standing import DECISION, NOT_SAID, REVIEW
from golemd.core.limits import MAX_LABELS, MAX_TITLE
from tests.core.imports.stores import STORES, Item

HEADER: Final = '{"schema_version":1}'
LINE: Final[dict[str, Any]] = {
    "id": "WRK-1",
    "title": "Add it",
    "status": "todo",
    "priority": 0,
    "description": None,
    "tags": [],
    "dependencies": [],
    "created_at": "2026-03-01T09:00:00.123456789Z",
    "updated_at": "2026-03-01T09:05:00Z",
}


def store(*lines: dict[str, Any] | str, archive: tuple[dict[str, Any] | str, ...] = ()) -> Backlog:
    """What is read of a store with these lines; a dict is laid over a good one."""
    return task_golem.read({"tasks.jsonl": written(*lines), "archive.jsonl": written(*archive)})


def written(*lines: dict[str, Any] | str) -> bytes:
    texts = [line if isinstance(line, str) else json.dumps({**LINE, **line}) for line in lines]
    return "\n".join([HEADER, *texts, ""]).encode()


def one(line: dict[str, Any]) -> Entry:
    backlog = store(line)
    assert backlog.problems == ()
    (entry,) = backlog.entries
    return entry


def problems(*lines: dict[str, Any] | str) -> list[str]:
    return [str(problem) for problem in store(*lines).problems]


# --- nothing is lost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [version for version in STORES if version.startswith("task-golem")])
def test_a_store_of_every_version_is_read_without_loss(version: str) -> None:
    backlog, files = STORES[version](100, 500)
    read = read_store(files)
    assert (read.problems, read.warnings) == ((), ())
    entries = {entry.key: entry for entry in read.entries}
    assert len(entries) == len(backlog) == 600
    for item in backlog:
        assert_same(entries[item["id"]], item)
        happened = "events.jsonl" in files and item["status"] in ("blocked", "done", "merged")
        assert bool(entries[item["id"]].history) is happened


def assert_same(entry: Entry, item: Item) -> None:
    """An entry says what its item was written from."""
    ended = {"done": Status.DONE, "merged": Status.CANCELLED}.get(item["status"])
    assert entry.status == (ended or item["status"])
    assert (entry.title, entry.priority, entry.labels) == (item["title"], item["priority"], tuple(item["tags"]))
    assert entry.dependencies == tuple(item["dependencies"])
    assert entry.assessments == Assessments(*(item[name] or "" for name in Assessments.__struct_fields__))
    described = item["context"] is not None
    assert entry.description == ("" if described else item["text"] or "")
    assert entry.brief == (Brief(item["context"], item["problem"]) if described else Brief())
    assert (entry.created_at, entry.updated_at) == (item["created"][:26] + "Z", item["updated"] + "Z")
    assert (entry.pipeline, entry.phase, entry.origin) == ("feature", item["phase"] or "", item["origin"] or "")
    assert entry.duplicate_of == item.get("survivor", "")
    if item["status"] == "blocked":
        assert (entry.came_from, entry.questions) == (item["came_from"], (item["blocked_reason"],))
    kept = {key.removeprefix("x-pg-").removeprefix("x-"): json.loads(value) for key, value in entry.extra.items()}
    assert kept.get("last-phase-commit") == item["commit"]
    assert kept.get("claimed_by") == ("agent-1" if item["status"] == "in_progress" else None)


def test_keys_that_nobody_knows_are_kept_as_they_are_written() -> None:
    line = json.dumps(LINE)[:-1] + ', "x-huge": 1e999, "x-list": [1, {"a": null}], "parent": null, "future": "\u2028"}'
    entry = store(line).entries[0]
    assert entry.extra == {"x-huge": "1e999", "x-list": '[1, {"a": null}]', "future": '"\u2028"'}


def test_a_time_is_cut_to_microseconds() -> None:
    assert one({}).created_at == "2026-03-01T09:00:00.123456Z"
    assert one({"updated_at": "2026-03-01T10:05:00+01:00"}).updated_at == "2026-03-01T09:05:00.000000Z"


def test_what_a_human_wrote_is_kept_beside_what_triage_made_of_it() -> None:
    parts = {"context": "c", "problem": "p", "solution": "", "impact": "", "sizing_rationale": ""}
    assert one({"description": "mine", "x-pg-description": parts}).description == "mine"
    copied = one({"description": "c", "x-pg-description": parts, "x-pg-unblock-context": "use the key"})
    assert (copied.description, copied.brief) == ("A human's answer: use the key", Brief("c", "p"))


def test_line_and_paragraph_separators_are_no_line_feeds() -> None:
    raw = json.dumps({**LINE, "title": "a\u2028b\u2029c", "description": "d\u2028"}, ensure_ascii=False)
    (entry,) = store(raw).entries
    assert (entry.title, entry.description) == ("a\u2028b\u2029c", "d\u2028")


def test_a_title_of_several_lines_is_put_on_one() -> None:
    read = store({"title": " a\nb\r\nc "})
    assert (read.entries[0].title, read.entries[0].extra) == ("a b c", {"title": '" a\\nb\\r\\nc "'})
    assert [str(warning) for warning in read.warnings] == ["tasks.jsonl:2: title: is put on one line"]


# --- where an item stands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status", "came_from", "questions"),
    [
        ({}, "new", "new", ()),
        ({"x-pg-status": "scoping"}, "scoping", "new", ()),
        ({"x-pg-status": "ready"}, "ready", "new", ()),
        ({"status": "doing"}, "in_progress", "new", ()),
        ({"status": "doing", "x-pg-status": "ready"}, "in_progress", "new", ()),
        ({"status": "done"}, "done", "new", ()),
        ({"status": "blocked", "blocked_reason": "why", "blocked_from_status": "todo"}, "blocked", "new", ("why",)),
        ({"status": "blocked", "blocked_from_status": "doing"}, "blocked", "in_progress", (NOT_SAID,)),
        (
            {"status": "blocked", "blocked_from_status": "todo", "x-pg-blocked-from-status": "scoping"},
            "blocked",
            "scoping",
            (NOT_SAID,),
        ),
        ({"status": "blocked", "x-pg-blocked-from-status": "ready"}, "blocked", "new", (NOT_SAID,)),
        ({"x-pg-requires-human-review": True}, "blocked", "new", (REVIEW,)),
        ({"x-pg-requires-human-review": True, "x-pg-status": "ready"}, "blocked", "ready", (REVIEW,)),
        ({"x-pg-requires-human-review": True, "status": "doing"}, "in_progress", "new", ()),
        ({"x-pg-requires-human-review": False}, "new", "new", ()),
        ({"x-pg-human-decision": True}, "blocked", "new", (DECISION,)),
        ({"x-pg-human-decision": True, "status": "blocked", "blocked_reason": "r"}, "blocked", "new", ("r", DECISION)),
        ({"x-pg-human-decision": True, "status": "done"}, "done", "new", ()),
    ],
)
def test_where_an_item_stands(line: dict[str, Any], status: str, came_from: str, questions: tuple[str, ...]) -> None:
    entry = one(line)
    assert (entry.status, entry.came_from, entry.questions) == (status, came_from, questions)
    assert entry.resolution == ("completed" if status == "done" else "")


def test_what_was_archived_undone_was_merged_or_closed() -> None:
    merged, closed, done = {"id": "B"}, {"id": "C"}, {"id": "D", "status": "done"}
    read = store({"description": "It.\n[Merged from B] Title: b"}, archive=(merged, closed, done))
    found = {entry.key: (entry.status, entry.resolution, entry.duplicate_of) for entry in read.entries}
    assert found["B"] == ("cancelled", "cancelled", "WRK-1")
    assert found["C"] == ("cancelled", "cancelled", "")
    assert found["D"] == ("done", "completed", "")


def test_an_item_in_both_files_is_the_archived_one() -> None:
    read = store({"title": "old"}, archive=({"title": "new", "status": "done"},))
    assert [(entry.title, entry.status) for entry in read.entries] == [("new", "done")]
    assert [str(warning) for warning in read.warnings] == [
        "tasks.jsonl:2: id: WRK-1 is in archive.jsonl:2 as well, and that one counts"
    ]


def test_of_an_archive_that_was_appended_to_twice_the_last_line_counts() -> None:
    read = store(archive=({"status": "done"}, {"status": "done", "title": "later"}))
    assert [entry.title for entry in read.entries] == ["later"]
    assert "archive.jsonl:2: id: WRK-1 is in archive.jsonl:3 as well" in str(read.warnings[0])
    pruned = task_golem.read({"archive.jsonl": written({}), "archive-pruned.jsonl": written({"title": "older"})})
    assert [entry.title for entry in pruned.entries] == ["Add it"]


# --- phase-golem's keys --------------------------------------------------------------------------------------------


def test_a_value_that_makes_no_sense_is_said_and_kept() -> None:
    read = store({"x-pg-size": "tiny", "x-pg-risk": 3, "x-pg-status": "fresh", "x-pg-pipeline-type": "my own"})
    (entry,) = read.entries
    assert entry.assessments == Assessments()
    assert (entry.status, entry.pipeline) == ("new", "")
    assert set(entry.extra) == {"x-pg-size", "x-pg-risk", "x-pg-status", "x-pg-pipeline-type"}
    assert [str(warning) for warning in read.warnings][:2] == [
        'tasks.jsonl:2: x-pg-size: unknown value "tiny"; it is kept and not used; allowed: small, medium, large',
        "tasks.jsonl:2: x-pg-risk: must be a text, not a whole number; it is kept and not used",
    ]


def test_the_hand_made_dialect_counts_where_the_real_keys_are_missing() -> None:
    line = {"x-size": "large", "x-risk": "low", "x-pg-risk": "high", "x-legacy-id": "WRK-009", "x-phase": "build"}
    entry = one(line)
    assert (entry.assessments, entry.phase) == (Assessments(size="large", risk="high"), "build")
    assert entry.extra == {"x-risk": '"low"', "x-legacy-id": '"WRK-009"'}


def test_parts_of_a_description_that_are_none_are_kept() -> None:
    read = store({"x-pg-description": {"context": "c", "problem": 3, "mood": "good"}})
    assert read.entries[0].brief == Brief("c")
    assert "x-pg-description" in read.entries[0].extra
    assert len(read.warnings) == 1
    assert store({"x-pg-description": "text"}).entries[0].brief == Brief()


def test_stale_words_about_a_block_are_kept() -> None:
    assert set(one({"blocked_reason": "old", "blocked_from_status": "todo"}).extra) == {
        "blocked_reason",
        "blocked_from_status",
    }


# --- too much ------------------------------------------------------------------------------------------------------


def test_what_is_too_long_for_golemd_is_shortened_and_kept() -> None:
    title = "word " * 100
    read = store({"title": title, "description": "more", "tags": ["a" * 65, *map(str, range(60))], "priority": 10**30})
    (entry,) = read.entries
    assert (len(entry.title), entry.title[-1]) == (MAX_TITLE, "…")
    assert entry.description == f"{title.strip()}\n\nmore"
    assert (len(entry.labels), entry.labels[0], entry.priority) == (MAX_LABELS, "0", 1_000_000)
    assert set(entry.extra) == {"title", "tags", "priority"}
    assert entry.extra["priority"] == str(10**30)
    assert [warning.key for warning in read.warnings] == ["title", "tags", "priority"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"title": " \n"}, "tasks.jsonl:2: title: must not be empty"),
        ({"description": "x" * 100_001}, "tasks.jsonl:2: description: has 100001 characters; at most 100000 are taken"),
        ({"dependencies": list(map(str, range(201)))}, "tasks.jsonl:2: dependencies: has 201 entries; at most 200 are"),
        ({"x-blob": "x" * 70_000}, "tasks.jsonl:2: has 70008 characters under keys that golemd does not know; at most"),
        ({"blocked_reason": "x" * 600_000, "status": "blocked"}, "tasks.jsonl:2: takes "),
    ],
)
def test_what_cannot_be_shortened_is_refused(line: dict[str, Any], message: str) -> None:
    (problem,) = read_store({"tasks.jsonl": written(line)}).problems
    assert str(problem).startswith(message)
    assert MAX_ENTRY_BYTES == 524_288


# --- what is broken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is no JSON object: Input data was truncated"),
        ("[]", "is no JSON object: Expected `object`, got `array`"),
        ("null", "is no JSON object: Expected `object`, got `null`"),
        ("{} {}", "is no JSON object: JSON is malformed: trailing characters (byte 4)"),
        ('{"id": "\\ud800"}', "is no JSON object: Input data was truncated"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "is nested too deeply"),
        ({"id": None}, "id: must be a text, not null"),
        ({"id": " "}, "id: must not be empty"),
        ({"title": 3}, "title: must be a text, not a whole number"),
        ({"title": "a\0"}, "title: must not hold the character NUL"),
        ({"status": "open"}, 'status: unknown value "open"; allowed: todo, doing, done, blocked'),
        ({"priority": "1"}, "priority: must be a whole number, not a text"),
        ({"priority": 1.5}, "priority: must be a whole number, not a number"),
        ({"priority": True}, "priority: must be a whole number, not true or false"),
        ({"tags": "a"}, "tags: must be a list, not a text"),
        ({"dependencies": [3]}, "dependencies[0]: must be a text, not a whole number"),
        ({"created_at": "soon"}, "created_at: must be a time such as 2026-03-01T09:00:00Z"),
        ({"created_at": 3}, "created_at: must be a text, not a whole number"),
        ({"description": ["a"]}, "description: must be a text, not a list"),
    ],
)
def test_a_broken_line_is_one_problem_with_its_place(line: dict[str, Any] | str, message: str) -> None:
    assert problems(line) == [f"tasks.jsonl:2: {message}"]


def test_all_broken_lines_are_told_and_the_rest_is_read() -> None:
    read = store("{", {"id": "A"}, {"title": None, "tags": 1}, "nonsense", {"id": "B"})
    assert [(problem.line, problem.key) for problem in read.problems] == [(2, ""), (4, "title"), (4, "tags"), (5, "")]
    assert [entry.key for entry in read.entries] == ["A", "B"]


def test_a_number_too_large_for_any_type_is_told_where_it_matters() -> None:
    line = json.dumps(LINE).replace('"priority": 0', '"priority": 1e999')
    assert problems(line) == ["tasks.jsonl:2: priority: cannot be read: Number out of range"]


def test_bytes_that_are_no_utf_8_are_told() -> None:
    for bad in (b'{"id": "\xff"}', b'{"\xff": 1}'):
        (problem,) = task_golem.read({"tasks.jsonl": HEADER.encode() + b"\n" + bad}).problems
        assert str(problem) == "tasks.jsonl:2: is not UTF-8"


def test_what_a_line_must_have_is_named() -> None:
    assert problems("{}") == [f"tasks.jsonl:2: {key}: is required" for key in sorted(task_golem.REQUIRED)] or set(
        problems("{}")
    ) == {f"tasks.jsonl:2: {key}: is required" for key in task_golem.REQUIRED}


def test_an_active_item_that_is_there_twice_is_refused() -> None:
    assert problems({}, {"title": "again"}) == ["tasks.jsonl:3: id: there is an item WRK-1 already, on line 2"]


def test_another_version_is_refused_and_a_missing_header_is_said() -> None:
    future = b'{"schema_version": 2}\n'
    assert [str(problem) for problem in task_golem.read({"tasks.jsonl": future}).problems] == [
        "tasks.jsonl:1: schema_version: version 2 is not known; allowed: 1"
    ]
    bare = task_golem.read({"tasks.jsonl": b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\r\n\r\n"})
    assert [entry.key for entry in bare.entries] == ["WRK-1"]
    assert [str(warning) for warning in bare.warnings] == [
        "tasks.jsonl:1: has no header with its schema_version; 1 is assumed"
    ]


def test_an_empty_store_has_no_items() -> None:
    for files in ({}, {"tasks.jsonl": b""}, {"tasks.jsonl": b"\n \n"}):
        assert task_golem.read(files) == Backlog()


# --- what happened -------------------------------------------------------------------------------------------------


def event(**fields: Any) -> str:
    good = {"v": 1, "task_id": "WRK-1", "ts": "2026-03-01T09:00:00Z", "type": "note", "text": "hm", "author": "a@b"}
    return json.dumps({**good, **fields})


def test_events_become_history_in_their_order() -> None:
    lines = [
        event(ts="2026-03-02T00:00:00Z", status="blocked", text="which?"),
        event(),
        event(author=None, ts="2026-03-03"),
    ]
    files = {"tasks.jsonl": written({}), "events.archive.jsonl": "\n".join(lines).encode()}
    assert task_golem.read(files).entries[0].history == (
        Past("2026-03-01T09:00:00.000000Z", "hm", "a@b"),
        Past("2026-03-02T00:00:00.000000Z", "blocked: which?", "a@b"),
        Past("2026-03-03T00:00:00.000000Z", "hm"),
    )


def test_broken_events_are_said_and_left_out() -> None:
    lines = ["{", event(ts="soon"), event(v=2), event(), event(task_id="ELSE")]
    read = task_golem.read({"tasks.jsonl": written({}), "events.jsonl": "\n".join(lines).encode()})
    assert read.problems == ()
    assert [(warning.line, warning.level) for warning in read.warnings] == [(1, "warning"), (2, "warning")]
    assert len(read.entries[0].history) == 1


def test_a_long_history_keeps_its_newest_notes_short() -> None:
    lines = [event(ts=f"2026-03-01T00:{n // 60:02}:{n % 60:02}Z", text=f"{n} " + "x" * 600) for n in range(150)]
    read = task_golem.read({"tasks.jsonl": written({}), "events.jsonl": "\n".join(lines).encode()})
    history = read.entries[0].history
    assert (len(history), history[-1].text[:4], history[-1].text[-1]) == (MAX_HISTORY, "149 ", "…")


# --- whatever the bytes --------------------------------------------------------------------------------------------

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["todo", "done"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*task_golem.KEYS, "v"]), inner, max_size=4)
    ),
    max_leaves=8,
)
LINES: Final = st.dictionaries(st.sampled_from([*task_golem.KEYS, "schema_version", "other"]), JSON, max_size=6).map(
    lambda over: json.dumps({**LINE, **over}).encode()
)


@given(st.dictionaries(st.sampled_from(task_golem.FILES), st.lists(LINES | st.binary(max_size=40), max_size=6)))
def test_no_bytes_are_beyond_reading(files: dict[str, list[bytes]]) -> None:
    backlog = read_store({name: b"\n".join(lines) for name, lines in files.items()})
    assert isinstance(backlog, Backlog)
    keys = [entry.key for entry in backlog.entries]
    assert len(set(keys)) == len(keys)
    for entry in backlog.entries:
        assert (entry.status is Status.BLOCKED) == bool(entry.questions)
        for value in entry.extra.values():
            json.loads(value)
