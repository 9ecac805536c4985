"""phase-golem's first backlogs: `BACKLOG.yaml` of schema versions 1 to 3, and `BACKLOG_INBOX.yaml` beside it.

Version 3 has a description in five parts, version 2 a plain one, version 1 none, and other words for some statuses.
What is in the inbox has no id yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from golemd.api.model import Assessments, Brief, Status
from golemd.core.golem_toml import NAME
from golemd.core.imports.entries import Backlog, Entry
from golemd.core.imports.fields import (
    LEVEL,
    SIZE,
    TEXT,
    TEXTS,
    WORD,
    brief,
    check_size,
    doubtful,
    fitted_labels,
    fitted_title,
    left_over,
    moment,
    nullable,
    taken,
)
from golemd.core.imports.rows import Found, Row
from golemd.core.imports.standing import standing
from golemd.core.imports.yaml_rows import Tree, row
from golemd.core.keys import Place, Reader, flag, one_of

BACKLOG: Final = "BACKLOG.yaml"
INBOX: Final = "BACKLOG_INBOX.yaml"
FILES: Final = (BACKLOG, INBOX)
VERSIONS: Final = (1, 2, 3)
INBOX_KEY: Final = "inbox: "
"""Stands before the title of what has no id, to be known again by."""

_STATUSES: Final = {
    "new": Status.NEW,
    "researching": Status.SCOPING,
    "scoping": Status.SCOPING,
    "scoped": Status.READY,
    "ready": Status.READY,
    "in_progress": Status.IN_PROGRESS,
    "blocked": Status.BLOCKED,
    "done": Status.DONE,
}
_OF_BLOCKED: Final = frozenset({"blocked_reason", "blocked_from_status"})


def _description(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """A text, or the five parts of one."""
    return TEXT(place, value) if isinstance(value, str) else brief(place, value)


INBOX_KEYS: Final[dict[str, Reader]] = {
    "title": TEXT,
    "description": nullable(_description),
    "size": doubtful(SIZE),
    "complexity": doubtful(LEVEL),
    "risk": doubtful(LEVEL),
    "impact": doubtful(LEVEL),
    "pipeline_type": doubtful(NAME),
    "tags": nullable(TEXTS),
    "dependencies": nullable(TEXTS),
}
KEYS: Final[dict[str, Reader]] = {
    "id": WORD,
    **INBOX_KEYS,
    "status": one_of(*_STATUSES),
    "phase": doubtful(WORD),
    "requires_human_review": doubtful(flag),
    "origin": doubtful(WORD),
    "blocked_reason": nullable(TEXT),
    "blocked_from_status": doubtful(one_of(*_STATUSES)),
    "unblock_context": doubtful(TEXT),
    "created": moment,
    "updated": moment,
}
REQUIRED: Final = frozenset({"id", "title", "status", "created", "updated"})


def read(files: Mapping[str, bytes]) -> Backlog:
    """The items of a backlog, then those of its inbox."""
    found = {name: Found(name) for name in FILES}
    entries = _backlog(files.get(BACKLOG, b""), found[BACKLOG]) + _inbox(files.get(INBOX, b""), found[INBOX])
    problems = tuple(problem for each in found.values() for problem in each.problems)
    return Backlog(tuple(entries), problems, tuple(problem for each in found.values() for problem in each.warnings))


def _backlog(data: bytes, found: Found) -> list[Entry]:
    tree = Tree(data, found)
    whole = {} if tree.value is None else tree.value
    if not isinstance(whole, dict):
        found.refuse(1, "is no backlog: it has no items")
        return []
    version = whole.get("schema_version", 1)
    if version not in VERSIONS:
        allowed = ", ".join(map(str, VERSIONS))
        found.refuse(
            tree.lines["schema_version",], f"{version!r:.20} is not known; allowed: {allowed}", "schema_version"
        )
    entries: dict[str, Entry] = {}
    for one in _rows(whole.get("items"), ("items",), tree, KEYS, found):
        entry = _read(one, found, KEYS, REQUIRED)
        if entry is not None and entry.key in entries:
            message = f"there is an item {entry.key} already, on line {entries[entry.key].line}"
            found.refuse(entry.line, message, "id")
        elif entry is not None:
            entries[entry.key] = entry
    return list(entries.values())


def _inbox(data: bytes, found: Found) -> list[Entry]:
    tree = Tree(data, found)
    entries: dict[str, Entry] = {}
    for one in _rows(tree.value, (), tree, INBOX_KEYS, found):
        entry = _read(one, found, INBOX_KEYS, frozenset({"title"}))
        if entry is not None:
            key = next(key for n in count(1) if (key := entry.key + f" ({n})" * (n > 1)) not in entries)
            entries[key] = replace(entry, key=key)
    return list(entries.values())


def _rows(value: Any, at: tuple[str, ...], tree: Tree, keys: Mapping[str, Reader], found: Found) -> list[Row]:  # noqa: ANN401
    if value is None:
        return []
    if not isinstance(value, list):
        found.refuse(tree.lines[at], "must be a list of items")
        return []
    made = [row(each, (*at, index), tree.lines, keys, found) for index, each in enumerate(value)]
    return [each for each in made if each is not None]


def _read(one: Row, found: Found, keys: Mapping[str, Reader], required: frozenset[str]) -> Entry | None:
    place = found.place(one)
    given = taken(place, one, keys, required)
    entry = None if given is None else _made(place, one, given)
    return entry if found.take(place) else None


def _made(place: Place, one: Row, given: dict[str, Any]) -> Entry:
    described = given.get("description", "")
    parts = described if isinstance(described, Brief) else Brief()
    title, text = fitted_title(place.at("title"), given["title"], "" if isinstance(described, Brief) else described)
    if context := given.get("unblock_context"):
        text = f"{text}\n\nA human's answer: {context}".strip()
    word = given.get("status", "new")
    stands = standing(
        _STATUSES[word],
        _STATUSES[given.get("blocked_from_status", "new")],
        given.get("blocked_reason", ""),
        review=given.get("requires_human_review", False),
    )
    labels = fitted_labels(place.at("tags"), given.get("tags", ()))
    dependencies = tuple(dict.fromkeys(given.get("dependencies", ())))
    used = (
        set(given)
        - (frozenset() if word == "blocked" else _OF_BLOCKED)
        - ({"phase"} if word == "researching" else set())
    )
    extra = left_over(place, one, used)
    check_size(place, text, dependencies, extra)
    return Entry(
        key=given.get("id", INBOX_KEY + title),
        file=place.file,
        line=one.line,
        title=title,
        status=stands.status,
        created_at=given.get("created", ""),
        updated_at=given.get("updated", ""),
        description=text,
        brief=parts,
        labels=labels,
        dependencies=dependencies,
        pipeline=given.get("pipeline_type", ""),
        assessments=Assessments(*(given.get(name, "") for name in Assessments.__struct_fields__)),
        came_from=stands.came_from,
        phase="" if word == "researching" else given.get("phase", ""),
        questions=stands.questions,
        origin=given.get("origin", ""),
        resolution=stands.resolution,
        extra=extra,
    )
