"""Dispatch: run and stop."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from golemctl.app import Ask
from golemctl.parser import Commands
from golemctl.render.others import problem_lines, started_lines, stopped_lines
from golemd.api import calls


def register(app: Commands) -> None:
    app.add("run", run, "Work on the backlog, and watch.", _RUN)
    app.add("stop", stop, "Launch nothing new.", _STOP)


_RUN: Final = (
    "Work on the project's items until all are done or wait for you, and show what happens. Ctrl-C stops launching; a "
    "daemon that restarts meanwhile is waited for."
)
_STOP: Final = "End the dispatch of the project: nothing new is started, what runs goes on."


def run(
    context: typer.Context,
    cap: Annotated[int | None, typer.Option(min=1, help="Start at most so many phases.")] = None,
    continuous: Annotated[bool, typer.Option("--continuous", help="Go on when there is nothing to do.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not watch.")] = False,
) -> int:
    from golemctl import watch  # only here: no other command watches

    ask = Ask.of(context)
    started = ask.call(calls.RunStart(project=ask.project, cap=cap, continuous=continuous))
    ask.out.aside(*problem_lines(started.warnings, ask.out.look()))
    if detach:
        ask.out.reply(started, started_lines)
        return 0
    return watch.watch(ask, started)


def stop(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="End running attempts too.")] = False,
) -> None:
    ask = Ask.of(context)
    ask.out.reply(
        ask.call(calls.RunStop(project=ask.project, now=now)), lambda view, look: stopped_lines(view, look, now=now)
    )
