"""Dispatch: run, triage and stop."""

from __future__ import annotations

from typing import Annotated, Final

from golemctl.app import Ask
from golemctl.commands.looking import Only
from golemctl.declare import Argument, Commands, Option
from golemctl.render.others import problem_lines, started_lines, stopped_lines
from golemd.api import calls


def register(app: Commands) -> None:
    app.add("run", run, "Work on the backlog, and watch.", _RUN)
    app.add("triage", triage, "Assess new items, and start nothing else.", _TRIAGE)
    app.add("stop", stop, "Launch nothing new.", _STOP)


Targets = Annotated[
    list[str] | None,
    Option("--target", metavar="ID", help="Only this item; several, in this order.", completion="item_ids"),
]

_RUN: Final = (
    "Work on the project's items until all are done or wait for you, and show what happens. Ctrl-C stops launching; a "
    "daemon that restarts meanwhile is waited for."
)
_TRIAGE: Final = (
    "Triage new items, those named or all, and show what happens: an agent assesses each, chooses its pipeline and "
    "names duplicates. Nothing else is started."
)
_STOP: Final = "End the dispatch of the project: nothing new is started, what runs goes on."


def run(
    ask: Ask,
    target: Targets = None,
    only: Only = None,
    cap: Annotated[
        int | None, Option(metavar="N", min=1, help="Start at most so many phases.", show_default=False)
    ] = None,
    auto_advance: Annotated[bool, Option("--auto-advance", help="Pass over targets that wait for you.")] = False,
    then_rest: Annotated[bool, Option("--then-rest", help="After the targets, everything else.")] = False,
    continuous: Annotated[bool, Option("--continuous", help="Go on when there is nothing to do.")] = False,
    detach: Annotated[bool, Option("--detach", help="Do not watch.")] = False,
) -> int:
    call = calls.RunStart(
        project=ask.project,
        targets=tuple(target or ()),
        only=tuple(only or ()),
        cap=cap,
        continuous=continuous,
        auto_advance=auto_advance,
        then_rest=then_rest,
    )
    return _watch(ask, call, detach)


def triage(
    ask: Ask,
    ids: Annotated[
        list[str] | None,
        Argument(metavar="[ID]...", help="These items; else all new ones.", completion="item_ids"),
    ] = None,
    detach: Annotated[bool, Option("--detach", help="Do not watch.")] = False,
) -> int:
    project = "" if ids and not ask.options.project else ask.project
    return _watch(ask, calls.Triage(project=project, ids=tuple(ids or ())), detach)


def _watch(ask: Ask, call: calls.RunStart | calls.Triage, detach: bool) -> int:
    """Dispatch, and watch unless nobody wants to."""
    from golemctl import watch  # only here: no other command watches

    started = ask.call(call)
    ask.out.aside(*problem_lines(started.warnings, ask.out.look()))
    if detach:
        ask.out.reply(started, started_lines)
        return 0
    return watch.watch(ask, started)


def stop(
    ask: Ask,
    now: Annotated[bool, Option("--now", help="End running attempts too.")] = False,
) -> None:
    ask.out.reply(
        ask.call(calls.RunStop(project=ask.project, now=now)), lambda view, look: stopped_lines(view, look, now=now)
    )
