"""golemd's own format: what `export` writes, JSON lines. A header, then one item a line.

Rules. Keys that are missing, null or empty say nothing. Keys that this release does not know are kept. The writer is
`core.exports`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from golemd.api.model import ENDED, Assessments, Brief, Past, Resolution, Status
from golemd.core.golem_toml import BRANCH, COUNT, NAME
from golemd.core.imports.entries import Backlog, Entry
from golemd.core.imports.fields import (
    LEVEL,
    SIZE,
    TEXT,
    TEXTS,
    WORD,
    brief,
    check_size,
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
from golemd.core.imports.standing import NOT_SAID
from golemd.core.keys import Place, Reader, flag, listing, mapping, one_of, table
from golemd.core.limits import MAX_DESCRIPTION, MAX_VARS

FORMAT: Final = "golemd"
VERSION: Final = 1
EXTRA: Final = "extra"


class Question(msgspec.Struct, frozen=True):
    """An open gate, in short."""

    kind: str = ""
    question: str = ""
    key: str = ""
    opened_at: str = ""


def _variables(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    given = mapping(NAME, TEXT)(place, value)
    if given is not UNSET and (len(given) > MAX_VARS or sum(map(len, given.values())) > MAX_DESCRIPTION):
        return place.refuse(f"holds more than {MAX_VARS} variables or {MAX_DESCRIPTION} characters")
    return given


_LIVE: Final = ("new", "scoping", "ready", "in_progress")
_NOTE: Final = table(Past, {"at": moment, "text": TEXT, "by": nullable(TEXT)}, required=frozenset({"at", "text"}))
_GATE: Final = table(Question, dict.fromkeys(Question.__struct_fields__, nullable(TEXT)))
KEYS: Final[dict[str, Reader]] = {
    "id": WORD,
    "source": nullable(WORD),
    "title": TEXT,
    "status": one_of(*_LIVE, "blocked", "done", "cancelled"),
    "came_from": nullable(one_of(*_LIVE)),
    "phase": nullable(WORD),
    "gates": nullable(listing(_GATE)),
    "paused": nullable(flag),
    "resolution": nullable(TEXT),
    "description": nullable(TEXT),
    "brief": nullable(brief),
    "priority": nullable(whole),
    "labels": nullable(TEXTS),
    "dependencies": nullable(TEXTS),
    "pipeline": nullable(NAME),
    "base": nullable(BRANCH),
    "vars": nullable(_variables),
    "size": nullable(SIZE),
    "complexity": nullable(LEVEL),
    "risk": nullable(LEVEL),
    "impact": nullable(LEVEL),
    "approved": nullable(table(Assessments, {"size": SIZE, "complexity": LEVEL, "risk": LEVEL, "impact": LEVEL})),
    "origin": nullable(WORD),
    "depth": nullable(COUNT),
    "summary": nullable(TEXT),
    "created_at": moment,
    "updated_at": moment,
    "history": nullable(listing(_NOTE)),
}
REQUIRED: Final = frozenset({"id", "title", "status", "created_at", "updated_at"})


def read(data: bytes, file: str) -> Backlog:
    """The items of an export; `file`: what it is called where problems are named."""
    found = Found(file)
    entries: dict[str, Entry] = {}
    headed = not data.strip()
    for row in rows(data, KEYS, found):
        if "format" in row.kept and "id" not in row.kept:
            headed = True
            _check_header(row, found)
        elif (entry := _entry(row, found)) is not None:
            if entry.key in entries:
                found.refuse(row.line, f"there is an item {entry.key} already, on line {entries[entry.key].line}", "id")
            entries.setdefault(entry.key, entry)
    if not headed:
        found.refuse(1, f'has no header; an export begins with {{"format":"{FORMAT}","version":{VERSION}}}')
    return Backlog(tuple(entries.values()), tuple(found.problems), tuple(found.warnings))


def _check_header(row: Row, found: Found) -> None:
    for key, allowed in (("format", f'"{FORMAT}"'), ("version", str(VERSION))):
        if row.kept.get(key) != allowed:
            given = row.kept.get(key, "nothing")[:20]
            found.refuse(row.line, f"{given} is not known; allowed: {allowed}", key)


def _entry(row: Row, found: Found) -> Entry | None:
    place = found.place(row)
    given = taken(place, row, KEYS, REQUIRED)
    entry = None if given is None else _made(place, row, given)
    return entry if found.take(place) else None


def _made(place: Place, row: Row, given: dict[str, Any]) -> Entry:
    title, text = fitted_title(place.at("title"), given["title"], given.get("description", ""))
    status = Status(given["status"])
    labels = fitted_labels(place.at("labels"), given.get("labels", ()))
    priority = fitted_priority(place.at("priority"), given.get("priority", 0))
    dependencies = tuple(dict.fromkeys(given.get("dependencies", ())))
    extra = left_over(place, row, {*KEYS, EXTRA}) | _kept(place, row)
    check_size(place, text, dependencies, extra)
    resolution = given.get("resolution", "")
    return Entry(
        key=given["id"],
        source=given.get("source", ""),
        file=place.file,
        line=row.line,
        title=title,
        status=status,
        created_at=given["created_at"],
        updated_at=given["updated_at"],
        description=text,
        brief=given.get("brief", Brief()),
        priority=priority,
        labels=labels,
        dependencies=dependencies,
        pipeline=given.get("pipeline", ""),
        base=given.get("base", ""),
        vars=given.get("vars", {}),
        assessments=Assessments(*(given.get(name, "") for name in Assessments.__struct_fields__)),
        approved=given.get("approved", Assessments()),
        depth=given.get("depth", 0),
        summary=given.get("summary", ""),
        came_from=Status(given.get("came_from", "new")),
        phase=given.get("phase", ""),
        questions=_questions(given) if status is Status.BLOCKED else (),
        paused=given.get("paused", False),
        origin=given.get("origin", ""),
        resolution=(resolution or str(_USUAL[status])) if status in ENDED else "",
        history=fitted_history(list(given.get("history", ()))),
        extra=extra,
    )


_USUAL: Final = {Status.DONE: Resolution.COMPLETED, Status.CANCELLED: Resolution.CANCELLED}


def _questions(given: dict[str, Any]) -> tuple[str, ...]:
    asked = (gate for gate in given.get("gates", ()) if gate.question)
    return tuple(
        gate.question if gate.kind in ("", "question") else f"({gate.kind}) {gate.question}" for gate in asked
    ) or (NOT_SAID,)


def _kept(place: Place, row: Row) -> dict[str, str]:
    """The keys of other programs that an export holds, as they are written there."""
    try:
        values = msgspec.json.decode(row.kept.get(EXTRA, "null"), type=dict[str, msgspec.Raw] | None) or {}
    except msgspec.DecodeError:
        place.at(EXTRA).refuse("must be a table")
        return {}
    return {key: bytes(raw).decode() for key, raw in values.items()}
