"""Backlogs of other programs, and our own exports: bytes of files → entries, and everything that is wrong with them.

Rules. One file a format; each takes the contents of the files that it names, by name, and returns a Backlog: whatever
the bytes are, it raises nothing. Nothing is lost: a key that golemd has no place for is kept as it is, under `extra`.
What a broken line says is not guessed. Which ids the entries get, and what becomes of their dependencies, is decided
where the state is known: in `core.decide.imports`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from golemd.core.imports import own, task_golem, worklog
from golemd.core.imports.entries import Backlog, marked
from golemd.core.imports.fields import fitted_history
from golemd.core.worklog import FOLDER

FORMATS: Final = ("tg", "jsonl")
BACKLOG_FILES: Final = ("BACKLOG.yaml", "BACKLOG_INBOX.yaml")
"""Those that are read by `backlog_yaml`, which is imported only when they are met: it needs a YAML reader."""


def read_export(data: bytes, file: str) -> Backlog:
    """An export of golemd's own, in a file of that name."""
    return marked(own.read(data, file))


def read_store(files: Mapping[str, bytes]) -> Backlog:
    """task-golem's store, or the BACKLOG.yaml that was before it, and worklogs: file name → contents."""
    told = worklog.histories(data for name, data in files.items() if name.startswith(f"{FOLDER}/"))
    backlog = _backlog(files)
    entries = (
        replace(entry, history=fitted_history([*entry.history, *told[entry.key]])) if entry.key in told else entry
        for entry in backlog.entries
    )
    return marked(replace(backlog, entries=tuple(entries)))


def _backlog(files: Mapping[str, bytes]) -> Backlog:
    if not any(name in files for name in BACKLOG_FILES):
        return task_golem.read(files)
    from golemd.core.imports import backlog_yaml

    return backlog_yaml.read(files)
