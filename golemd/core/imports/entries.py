"""What every format is read into: entries that know nothing of the file they come from but where they stood in it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from golemd.api.model import Assessments, Brief, Past, Status
from golemd.core.keys import Problem

MARK_BYTES: Final = 12
MAX_ENTRY_BYTES: Final = 524_288
"""So that an item, written as JSON, fits into a record."""


class Entry(Struct, frozen=True, kw_only=True):
    """One item as its source has it. Ids are the source's own; times are as records write them.

    `key`: its id, or what stands for one; `source`: what it was called first, where that is something else.
    `created_at` is empty where the source does not say. `status`: blocked ones have `came_from` and `questions`, ended
    ones a `resolution`. `phase`: where it was. `extra`: JSON texts by key. `mark`: a digest of all that it says.
    """

    key: str
    file: str
    line: int
    title: str
    status: Status
    source: str = ""
    created_at: str = ""
    updated_at: str = ""
    description: str = ""
    brief: Brief = Brief()
    priority: int = 0
    labels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    pipeline: str = ""
    base: str = ""
    vars: dict[str, str] = {}
    assessments: Assessments = Assessments()
    approved: Assessments = Assessments()
    depth: int = 0
    came_from: Status = Status.NEW
    phase: str = ""
    questions: tuple[str, ...] = ()
    paused: bool = False
    origin: str = ""
    resolution: str = ""
    duplicate_of: str = ""
    summary: str = ""
    history: tuple[Past, ...] = ()
    extra: dict[str, str] = {}
    mark: str = ""


class Backlog(Struct, frozen=True):
    """All that was read: entries in the order of the files, what is broken, and what a person should know."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def marked(backlog: Backlog) -> Backlog:
    """The backlog with a digest of what each entry says, by which a change of it is seen later."""
    entries: list[Entry] = []
    problems = list(backlog.problems)
    for entry in backlog.entries:
        said = msgspec.msgpack.encode(replace(entry, file="", line=0, history=()), order="sorted")
        entries.append(replace(entry, mark=blake2b(said, digest_size=MARK_BYTES).hexdigest()))
        if len(said) > MAX_ENTRY_BYTES:
            message = f"takes {len(said)} bytes; at most {MAX_ENTRY_BYTES} of one item are taken"
            problems.append(Problem(entry.file, entry.line, "", message))
    return Backlog(tuple(entries), tuple(problems), backlog.warnings)
