"""The backlog: init, add, edit, cancel, reopen."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from golemctl.app import Ask, Commands, Usage
from golemctl.commands.looking import ItemId
from golemctl.output import Output
from golemctl.render.item import changed_lines
from golemctl.render.others import problem_lines, ready_lines
from golemd.api import calls
from golemd.api.views import ItemView

Labels = Annotated[list[str] | None, typer.Option("--label", help="A label; may be repeated.")]
Dependencies = Annotated[list[str] | None, typer.Option("--dep", metavar="ID", help="An item to be done before.")]
Description = Annotated[str | None, typer.Option("-d", "--description", help="What is wanted; - reads it from stdin.")]
Priority = Annotated[int | None, typer.Option(help="Higher first; 0 unless given.")]
PipelineName = Annotated[str | None, typer.Option(help="Which pipeline; else the project's default.")]
Base = Annotated[str | None, typer.Option(metavar="BRANCH", help="The branch to build upon.")]
Reason = Annotated[str, typer.Option("-m", "--message", metavar="REASON", help="Why; it is recorded.")]


def register(app: Commands) -> None:
    app.add("init", calls.ProjectInit)(init)
    app.add("add", calls.ItemAdd)(add)
    app.add("edit", f"{calls.ItemEdit.__doc__} --label and --dep replace all; an empty one removes them.")(edit)
    app.add("cancel", calls.ItemCancel)(cancel)
    app.add("reopen", calls.ItemReopen)(reopen)


def init(
    context: typer.Context,
    prefix: Annotated[str, typer.Option(help="What its items are called: WRK gives WRK-1.")] = "",
) -> None:
    ask = Ask.of(context)
    ready = ask.call(calls.ProjectInit(root=ask.project, prefix=prefix))
    ask.out.reply(ready, ready_lines)
    ask.out.aside(*problem_lines(ready.warnings, ask.out.look()))


def add(
    context: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done, in a few words.")],
    description: Description = None,
    priority: Priority = None,
    label: Labels = None,
    dep: Dependencies = None,
    pipeline: PipelineName = None,
    base: Base = None,
) -> None:
    ask = Ask.of(context)
    call = calls.ItemAdd(
        project=ask.project,
        title=title,
        description=_text(description) or "",
        priority=priority or 0,
        labels=tuple(label or ()),
        dependencies=tuple(dep or ()),
        pipeline=pipeline or "",
        base=base or "",
    )
    item = ask.call(call)
    ask.out.reply(item, lambda item, look: [item.id])
    if item.note:
        ask.out.aside(*problem_lines((item.note,), ask.out.look()))


def edit(
    context: typer.Context,
    id: ItemId,  # noqa: A002 - the name of the call's field
    title: Annotated[str | None, typer.Option(help="A new title.")] = None,
    description: Description = None,
    priority: Priority = None,
    label: Labels = None,
    dep: Dependencies = None,
    pipeline: PipelineName = None,
    base: Base = None,
    size: Annotated[str | None, typer.Option(help="small, medium or large.")] = None,
    complexity: Annotated[str | None, typer.Option(help="low, medium or high.")] = None,
    risk: Annotated[str | None, typer.Option(help="low, medium or high.")] = None,
    impact: Annotated[str | None, typer.Option(help="low, medium or high.")] = None,
) -> None:
    ask = Ask.of(context)
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


def cancel(context: typer.Context, id: ItemId, reason: Reason = "") -> None:  # noqa: A002 - the name of the call's field
    ask = Ask.of(context)
    show_changed(ask.out, ask.call(calls.ItemCancel(id=id, reason=reason)))


def reopen(context: typer.Context, id: ItemId, reason: Reason = "") -> None:  # noqa: A002 - the name of the call's field
    ask = Ask.of(context)
    show_changed(ask.out, ask.call(calls.ItemReopen(id=id, reason=reason)))


def show_changed(out: Output, item: ItemView) -> None:
    """What an item is after a change."""
    out.reply(item, changed_lines)


def _replaced(values: list[str] | None) -> tuple[str, ...] | None:
    """The new list; a single empty value empties it."""
    return None if values is None else tuple(value for value in values if value)


def _text(given: str | None) -> str | None:
    return sys.stdin.read() if given == "-" else given
