"""The files of a backlog elsewhere: found, read and parsed in a thread, before the import is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from golemd.adapters.files import Files
from golemd.api import calls
from golemd.api.faults import Invalid, NotFound
from golemd.api.model import Actor
from golemd.core import commands as cmd
from golemd.core import imports
from golemd.core.imports.entries import Backlog
from golemd.core.imports.task_golem import FILES, TASKS
from golemd.core.worklog import FOLDER
from golemd.engine.context import Context

MAX_IMPORT_BYTES: Final = 64 << 20  # of one file
MAX_PROBLEMS: Final = 500  # that are told at once
MAX_WORKLOGS: Final = 60  # one a month
STORE_FOLDER: Final = ".task-golem"
BACKLOG: Final = imports.BACKLOG_FILES[0]


async def facts(engine: Context, call: calls.Import, actor: Actor) -> cmd.Facts:
    """Read the backlog. Raises Invalid `import_invalid` with all that is wrong, unless that is to be skipped."""
    engine.state.project(call.project)  # an unknown one is refused before anything is read
    path = Path(call.path)
    if not path.is_absolute():
        raise Invalid("invalid_path", f"{call.path[:200]!r} is not absolute.", "golemctl import makes it so.")
    if call.format not in imports.FORMATS:
        known = ", ".join(imports.FORMATS)
        raise Invalid("unknown_format", f"There is no format {call.format[:40]!r}.", f"One of: {known}.")
    backlog = await engine.parts.in_thread(_read, engine.parts.files, call.format, path)
    if backlog.problems and not call.skip_broken:
        raise _broken(backlog)
    skipped = tuple(replace(problem, level="warning") for problem in backlog.problems)
    return cmd.Facts(backlog=replace(backlog, warnings=(*skipped, *backlog.warnings), problems=()))


def _broken(backlog: Backlog) -> Invalid:
    problems = [str(problem) for problem in backlog.problems]
    more = len(problems) - MAX_PROBLEMS
    told = [*problems[:MAX_PROBLEMS], *([f"… and {more} more"] if more > 0 else [])]
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    message = f"Nothing was imported: there {'are' if len(problems) > 1 else 'is'} {count}.\n" + "\n".join(told)
    hint = "Mend them and try again, or add --skip-broken: then the rest is imported."
    return Invalid("import_invalid", message, hint, problems=told)


def _read(files: Files, kind: str, path: Path) -> Backlog:
    if not files.is_there(path):
        raise NotFound("nothing_to_import", f"There is no {path}.", _HINT)
    if kind == "jsonl":
        return imports.read_export(_contents(files, path) or b"", path.name)
    found = {name: _contents(files, file) for name, file in _store(path).items()}
    return imports.read_store({name: data for name, data in found.items() if data is not None})


_HINT: Final = (
    f"For tg: a repository with {STORE_FOLDER} or {BACKLOG}, or a file of them.\nFor jsonl: what golemctl export wrote."
)


def _contents(files: Files, path: Path) -> bytes | None:
    found = files.read_bounded(path.resolve(), MAX_IMPORT_BYTES)
    if isinstance(found, str):
        raise Invalid("unreadable_file", f"{path}: {found}.", "It must be a plain file of text.")
    return found


def _store(path: Path) -> dict[str, Path]:
    """The files that a store may have, by what they are: those of a folder, or of the store that a file is of."""
    if path.is_dir():
        for folder, names in ((path, FILES), (path / STORE_FOLDER, FILES), (path, imports.BACKLOG_FILES)):
            if any((folder / name).exists() for name in names):
                return {name: folder / name for name in names} | _worklogs(folder)
        raise NotFound("nothing_to_import", f"There is no backlog of task-golem or phase-golem in {path}.", _HINT)
    for names in (FILES, imports.BACKLOG_FILES):
        if path.name in names:
            return {name: path.with_name(name) for name in names} | _worklogs(path.parent)
    return {BACKLOG if path.suffix in (".yaml", ".yml") else TASKS: path}


def _worklogs(folder: Path) -> dict[str, Path]:
    """The newest worklogs of the repository that a store is in."""
    root = folder.parent if folder.name == STORE_FOLDER else folder
    logs = sorted((root / FOLDER).glob("*.md"))[-MAX_WORKLOGS:]
    return {f"{FOLDER}/{file.name}": file for file in logs}
