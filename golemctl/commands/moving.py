"""Backlogs from elsewhere and to elsewhere: import and export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec

from golemctl.app import Ask
from golemctl.declare import Argument, Commands, Option
from golemctl.render.others import imported_lines, problem_lines
from golemd.api import calls
from golemd.api.words import count

IMPORT_SECONDS: Final = 600.0
"""How long an import is waited for, unless --timeout says otherwise."""


class Format(StrEnum):
    """What can be imported: task-golem's stores and phase-golem's files, or what `export` wrote."""

    TG = "tg"
    JSONL = "jsonl"


def register(app: Commands) -> None:
    app.add("import", import_items, "Take in a backlog of task-golem, or an export.", _IMPORT)
    app.add("export", export, "Print all items, one a line.", _EXPORT)


_IMPORT: Final = (
    "Import a backlog. tg: a repository with a task-golem store or a BACKLOG.yaml, or one of the files; jsonl: what "
    "export wrote. All of it is imported or nothing; what was imported before is left as it is here."
)
_EXPORT: Final = "Print the project's items as JSON, one a line after a header; `golemctl import jsonl` reads it."


def import_items(
    ask: Ask,
    kind: Annotated[Format, Argument(metavar="tg|jsonl", help="What it is.")],
    path: Annotated[str, Argument(metavar="PATH", help="Where it is.")],
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would happen.")] = False,
    renumber: Annotated[bool, Option("--renumber", help="Give all items new ids of this project.")] = False,
    skip_broken: Annotated[bool, Option("--skip-broken", help="Leave out what cannot be read.")] = False,
) -> None:
    call = calls.Import(
        project=ask.project,
        format=kind,
        path=str(Path(path).expanduser().absolute()),
        renumber=renumber,
        skip_broken=skip_broken,
        dry_run=dry_run,
    )
    view = ask.call(call, seconds=IMPORT_SECONDS)
    ask.out.aside(*problem_lines(view.warnings, ask.out.look()))
    ask.out.reply(view, imported_lines)


def export(ask: Ask) -> None:
    page = ask.call(calls.Export(project=ask.project))
    header, lines = page.header, list(page.lines)
    if not ask.out.json:
        print(header)
    while True:
        if not ask.out.json:
            print(*lines, sep="\n", end="\n" if lines else "")
            lines = []
        if not page.more:
            break
        page = ask.call(calls.Export(project=page.project, after=page.next))
        lines += page.lines
    if page.pruned:
        ask.out.aside(f"Left out: {count(page.pruned, 'ended item')}, of which the records were pruned.")
    if ask.out.json:
        ask.out.document(
            {"header": msgspec.Raw(header.encode()), "items": [msgspec.Raw(each.encode()) for each in lines]}
        )
