"""task-golem's stores, of every version, with what phase-golem wrote into them.

`tasks.jsonl` holds what is active, `archive.jsonl` what has ended, `archive-pruned.jsonl` what was swept from there;
`events.jsonl` and `events.archive.jsonl` say what happened. An item in several of them is the one in the archive.
Keys of phase-golem begin with `x-pg-`, in a hand-made dialect with `x-`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from golemd.api.model import Assessments, Brief, Past, Status
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
    fitted_history,
    fitted_labels,
    fitted_priority,
    fitted_title,
    left_over,
    moment,
    nullable,
    taken,
    whole,
)
from golemd.core.imports.rows import Found, Row, rows
from golemd.core.imports.standing import Standing, standing
from golemd.core.keys import Place, Reader, flag, one_of

TASKS: Final = "tasks.jsonl"
ARCHIVES: Final = ("archive.jsonl", "archive-pruned.jsonl")
EVENTS: Final = ("events.jsonl", "events.archive.jsonl")
FILES: Final = (TASKS, *ARCHIVES, *EVENTS)
VERSION: Final = 1

_OWN, _PLAIN = "x-pg-", "x-"
_MERGED: Final = re.compile(r"\[Merged from ([^\]\s]+)\]")
_STATUS: Final = one_of("todo", "doing", "done", "blocked")

NATIVE: Final[Mapping[str, Reader]] = {
    "id": WORD,
    "title": TEXT,
    "status": _STATUS,
    "priority": whole,
    "description": nullable(TEXT),
    "tags": TEXTS,
    "dependencies": TEXTS,
    "created_at": moment,
    "updated_at": moment,
    "blocked_reason": nullable(TEXT),
    "blocked_from_status": doubtful(_STATUS),
}
REQUIRED: Final = frozenset({"id", "title", "status", "priority", "tags", "dependencies", "created_at", "updated_at"})
ADDED: Final[Mapping[str, Reader]] = {
    "status": doubtful(one_of("new", "scoping", "ready")),
    "phase": doubtful(WORD),
    "size": doubtful(SIZE),
    "complexity": doubtful(LEVEL),
    "risk": doubtful(LEVEL),
    "impact": doubtful(LEVEL),
    "requires-human-review": doubtful(flag),
    "human-decision": doubtful(flag),
    "pipeline-type": doubtful(NAME),
    "origin": doubtful(WORD),
    "blocked-from-status": doubtful(one_of("new", "scoping", "ready", "in_progress")),
    "unblock-context": doubtful(TEXT),
    "description": doubtful(brief),
}
"""What phase-golem adds, without its prefix; its other keys are kept, like all that are not known."""
KEYS: Final[dict[str, Reader]] = {
    **NATIVE,
    **{prefix + name: reader for prefix in (_PLAIN, _OWN) for name, reader in ADDED.items()},
}
EVENT: Final[Mapping[str, Reader]] = {
    "v": whole,
    "task_id": WORD,
    "ts": moment,
    "author": nullable(TEXT),
    "text": nullable(TEXT),
    "status": nullable(TEXT),
}


class Added(Struct, frozen=True):
    """What phase-golem knew of an item."""

    status: str = ""
    phase: str = ""
    size: str = ""
    complexity: str = ""
    risk: str = ""
    impact: str = ""
    requires_human_review: bool = False
    human_decision: bool = False
    pipeline_type: str = ""
    origin: str = ""
    blocked_from_status: str = ""
    unblock_context: str = ""
    description: Brief = Brief()


def read(files: Mapping[str, bytes]) -> Backlog:
    """The items of a store, active ones first."""
    found = {name: Found(name) for name in FILES}
    active = _items(files.get(TASKS, b""), found[TASKS], ended=False)
    ended: dict[str, Entry] = {}
    for name in ARCHIVES:
        for entry in _items(files.get(name, b""), found[name], ended=True):
            _count_once(entry, ended.setdefault(entry.key, entry), found[name])
    for entry in active:
        _count_once(entry, ended.get(entry.key, entry), found[TASKS])
    entries = [*(entry for entry in active if entry.key not in ended), *ended.values()]
    histories = _histories((files.get(name, b""), found[name]) for name in EVENTS)
    told = [replace(entry, history=fitted_history(histories.get(entry.key, []))) for entry in entries]
    problems = tuple(problem for each in found.values() for problem in each.problems)
    warnings = tuple(problem for each in found.values() for problem in each.warnings)
    return Backlog(tuple(_with_survivors(told)), problems, warnings)


def _count_once(entry: Entry, counts: Entry, found: Found) -> None:
    if entry is not counts:
        found.warn(entry.line, f"{entry.key} is in {counts.file}:{counts.line} as well, and that one counts", "id")


# --- items -------------------------------------------------------------------------------------------------------


def _items(data: bytes, found: Found, *, ended: bool) -> list[Entry]:
    """The items of a file. One that is active twice is an error; an archive is appended to, so its last counts."""
    entries: dict[str, Entry] = {}
    headed = not data.strip()
    for row in rows(data, KEYS, found):
        if "schema_version" in row.kept and "id" not in row.kept:
            headed = True
            _check_version(row, found)
        elif (entry := _entry(row, found, ended=ended)) is not None:
            first = entries.get(entry.key)
            if first is not None and ended:
                _count_once(first, entry, found)
            elif first is not None:
                found.refuse(row.line, f"there is an item {entry.key} already, on line {first.line}", "id")
            entries[entry.key] = entry
    if not headed:
        found.warn(1, f"has no header with its schema_version; {VERSION} is assumed")
    return list(entries.values())


def _check_version(row: Row, found: Found) -> None:
    version = row.kept["schema_version"]
    if version != str(VERSION):
        found.refuse(row.line, f"version {version[:20]} is not known; allowed: {VERSION}", "schema_version")


def _entry(row: Row, found: Found, *, ended: bool) -> Entry | None:
    place = found.place(row)
    given = taken(place, row, KEYS, REQUIRED)
    entry = None if given is None else _made(place, row, given, ended=ended)
    return entry if found.take(place) else None


def _made(place: Place, row: Row, given: dict[str, Any], *, ended: bool) -> Entry:
    names = {name: next((p + name for p in (_OWN, _PLAIN) if p + name in given), "") for name in ADDED}
    added = Added(**{name.replace("-", "_"): given[key] for name, key in names.items() if key})
    text = given.get("description", "")
    title, text = fitted_title(place.at("title"), given["title"], "" if text == added.description.context else text)
    if added.unblock_context:
        text = f"{text}\n\nA human's answer: {added.unblock_context}".strip()
    stands = _standing(given, added, ended=ended)
    labels = fitted_labels(place.at("tags"), given["tags"])
    priority = fitted_priority(place.at("priority"), given["priority"])
    dependencies = tuple(dict.fromkeys(given["dependencies"]))
    used = {*NATIVE, *names.values()} - (frozenset() if given["status"] == "blocked" else _OF_BLOCKED)
    extra = left_over(place, row, used)
    check_size(place, text, dependencies, extra)
    return Entry(
        key=given["id"],
        file=place.file,
        line=row.line,
        title=title,
        status=stands.status,
        created_at=given["created_at"],
        updated_at=given["updated_at"],
        description=text,
        brief=added.description,
        priority=priority,
        labels=labels,
        dependencies=dependencies,
        pipeline=added.pipeline_type,
        assessments=Assessments(added.size, added.complexity, added.risk, added.impact),
        came_from=stands.came_from,
        phase=added.phase,
        questions=stands.questions,
        origin=added.origin,
        resolution=stands.resolution,
        extra=extra,
    )


_OF_BLOCKED: Final = frozenset({"blocked_reason", "blocked_from_status", _OWN + "blocked-from-status"})
_STATUSES: Final = {"todo": Status.NEW, "doing": Status.IN_PROGRESS, "done": Status.DONE, "blocked": Status.BLOCKED}


def _standing(given: dict[str, Any], added: Added, *, ended: bool) -> Standing:
    native = given["status"]
    if ended and native != "done":
        return standing(Status.CANCELLED, Status.NEW, "")
    before = given.get("blocked_from_status", "")
    lossy = Status.IN_PROGRESS if before == "doing" else Status.NEW
    return standing(
        Status(added.status) if native == "todo" and added.status else _STATUSES[native],
        Status(added.blocked_from_status) if before and added.blocked_from_status else lossy,
        given.get("blocked_reason", ""),
        review=added.requires_human_review,
        decision=added.human_decision,
    )


def _with_survivors(entries: list[Entry]) -> Iterator[Entry]:
    """What was archived without being done was merged into another item, if one says so."""
    survivors = {
        merged: entry.key
        for entry in entries
        for merged in _MERGED.findall(f"{entry.description}\n{entry.brief.context}")
    }
    for entry in entries:
        survivor = survivors.get(entry.key) if entry.status is Status.CANCELLED else None
        yield entry if survivor is None else replace(entry, duplicate_of=survivor)


# --- what happened -----------------------------------------------------------------------------------------------


def _histories(files: Iterable[tuple[bytes, Found]]) -> dict[str, list[Past]]:
    """Notes by item. A broken line of them is said and left out; one of a version to come is left out."""
    histories: dict[str, list[Past]] = {}
    for data, found in files:
        for row in rows(data, EVENT, found):
            place = found.place(row)
            given = taken(place, row, EVENT, frozenset({"v", "task_id", "ts"}))
            if given is not None and given["v"] == 1:
                said = [given[name] for name in ("status", "text") if name in given]
                note = Past(given["ts"], ": ".join(said), given.get("author", ""))
                histories.setdefault(given["task_id"], []).append(note)
            found.take(place)
        found.warnings += [replace(problem, level="warning") for problem in found.problems]
        found.problems.clear()
    return histories
