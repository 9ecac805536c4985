"""The backlog: init, add, edit, cancel, reopen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

from golemctl.app import Ask, Usage
from golemctl.commands.looking import ItemId
from golemctl.declare import Argument, Commands, Option
from golemctl.output import Output
from golemctl.render.item import changed_lines
from golemctl.render.others import problem_lines, ready_lines
from golemd.api import calls
from golemd.api.views import ItemView

EndedId = Annotated[str, Argument(metavar="ID", help="A done or cancelled item.", completion="ended_item_ids")]
Labels = Annotated[
    list[str] | None,
    Option("--label", metavar="LABEL", help="A label; may be repeated.", completion="labels"),
]
Dependencies = Annotated[
    list[str] | None,
    Option("--dep", metavar="ID", help="An item to be done before.", completion="item_ids"),
]
Description = Annotated[
    str | None, Option("-d --description", metavar="TEXT", help="What is wanted; - reads it from stdin.")
]
Priority = Annotated[int | None, Option(metavar="N", help="Higher first; 0 unless given.")]
PipelineName = Annotated[
    str | None,
    Option(metavar="NAME", help="Which pipeline; else the project's default.", completion="pipeline_names"),
]
Base = Annotated[str | None, Option(metavar="BRANCH", help="The branch to build upon.")]
Level = Annotated[str | None, Option(metavar="LEVEL", help="low, medium or high.", completion="levels")]
Reason = Annotated[str, Option("-m --message", metavar="REASON", help="Why; it is recorded.")]


def register(app: Commands) -> None:
    app.add("init", init, "Register the git repository of this folder.", _INIT)
    app.add("add", add, "Add an item to the backlog; prints its id.")
    app.add("edit", edit, "Change an item.", _EDIT)
    app.add("cancel", cancel, "Cancel an item.", calls.ItemCancel.__doc__)
    app.add("reopen", reopen, "Take up a done or cancelled item again.", calls.ItemReopen.__doc__)


_INIT: Final = (
    "Register the git repository around this folder; write a commented golem.toml if it has neither that nor a "
    "phase-golem.toml, which is used as it is. --from writes a golem.toml that says what a phase-golem.toml says."
)
_EDIT: Final = (
    "Change an item; what is left out stays as it is. --label and --dep replace all; an empty one removes them."
)


def init(
    ask: Ask,
    prefix: Annotated[str, Option(metavar="PREFIX", help="What its items are called: WRK gives WRK-1.")] = "",
    from_file: Annotated[str, Option("--from", metavar="FILE", help="A phase-golem.toml to begin with.")] = "",
) -> None:
    source = str(Path(from_file).expanduser().absolute()) if from_file else ""
    ready = ask.call(calls.ProjectInit(root=ask.project_folder, prefix=prefix, from_=source))
    ask.out.reply(ready, ready_lines)
    ask.out.aside(*problem_lines(ready.warnings, ask.out.look()))


def add(
    ask: Ask,
    title: Annotated[str, Argument(metavar="TITLE", help="What is to be done, in a few words.")],
    description: Description = None,
    priority: Priority = None,
    label: Labels = None,
    dep: Dependencies = None,
    pipeline: PipelineName = None,
    base: Base = None,
    var: Annotated[list[str] | None, Option(metavar="N=V", help="A variable for its prompts.")] = None,
) -> None:
    call = calls.ItemAdd(
        project=ask.project,
        title=title,
        description=_text(description) or "",
        priority=priority or 0,
        labels=tuple(label or ()),
        dependencies=tuple(dep or ()),
        pipeline=pipeline or "",
        base=base or "",
        vars=_vars(var or []),
    )
    item = ask.call(call)
    ask.out.reply(item, lambda item, look: [item.id])
    if item.note:
        ask.out.aside(*problem_lines((item.note,), ask.out.look()))


def _vars(given: list[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping. Raises Usage for a word without `=`."""
    for word in given:
        if "=" not in word:
            raise Usage("bad_variable", f"--var {word} has no value.", "Write it as --var NAME=VALUE.")
    return dict(word.split("=", 1) for word in given)


def edit(
    ask: Ask,
    id: ItemId,  # noqa: A002 - the name of the call's field
    title: Annotated[str | None, Option(metavar="TITLE", help="A new title.")] = None,
    description: Description = None,
    priority: Priority = None,
    label: Labels = None,
    dep: Dependencies = None,
    pipeline: PipelineName = None,
    base: Base = None,
    size: Annotated[str | None, Option(metavar="SIZE", help="small, medium or large.", completion="sizes")] = None,
    complexity: Level = None,
    risk: Level = None,
    impact: Level = None,
) -> None:
    call = calls.ItemEdit(
        id=id,
        title=title,
        description=_text(description),
        priority=priority,
        labels=_replaced(label),
        dependencies=_replaced(dep),
        pipeline=pipeline,
        base=base,
        size=size,
        complexity=complexity,
        risk=risk,
        impact=impact,
    )
    if call == calls.ItemEdit(id=id):
        raise Usage("nothing_to_edit", "Nothing is to be changed.", f"Say what: golemctl edit {id} --title …")
    show_changed(ask.out, ask.call(call))


def cancel(ask: Ask, id: ItemId, reason: Reason = "") -> None:  # noqa: A002 - the name of the call's field
    show_changed(ask.out, ask.call(calls.ItemCancel(id=id, reason=reason)))


def reopen(ask: Ask, id: EndedId, reason: Reason = "") -> None:  # noqa: A002 - the name of the call's field
    show_changed(ask.out, ask.call(calls.ItemReopen(id=id, reason=reason)))


def show_changed(out: Output, item: ItemView) -> None:
    """What an item is after a change."""
    out.reply(item, changed_lines)


def _replaced(values: list[str] | None) -> tuple[str, ...] | None:
    """The new list; a single empty value empties it."""
    return None if values is None else tuple(value for value in values if value)


def _text(given: str | None) -> str | None:
    return sys.stdin.read() if given == "-" else given
