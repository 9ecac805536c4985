"""An attached `golemctl run`: lines as things happen, one footer on a terminal, a summary and what waits at the end."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import msgspec

from golemctl.app import INTERRUPTED, WAITS_FOR_HUMAN, Ask
from golemctl.follow import BETWEEN_TRIES_SECONDS, PATIENCE_SECONDS, Records
from golemctl.render.gates import waiting_lines
from golemctl.render.others import stopped_lines
from golemctl.render.progress import Progress
from golemctl.render.text import cut, folder
from golemd.api import calls
from golemd.api.faults import Fault, Unavailable
from golemd.api.views import GateView, RunStarted, StatusView

FOOTER_SECONDS: Final = 1.0
"""How often the footer is drawn again when nothing happens."""
_CLEAR: Final = "\r\x1b[J"
"""Clears the footer, also what a terminal that was made narrower has wrapped: the cursor stays at its beginning."""


class Screen:
    """Appended lines and, on a terminal, a footer below them that is drawn again and again."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.has_footer = ask.out.is_terminal and not ask.out.json
        self._drawn = False

    def append(self, *lines: str) -> None:
        self.clear()
        self._ask.out.say(*lines)
        sys.stdout.flush()

    def tell(self, line: str) -> None:
        """A line that is no part of what is followed."""
        self.clear()
        self._ask.out.aside(line)

    def footer(self, text: str) -> None:
        """Draw the footer, one column short of the edge so that no terminal wraps it."""
        if self.has_footer:
            sys.stdout.write(_CLEAR + cut(text, self._ask.out.look().width - 1) + "\r")
            sys.stdout.flush()
            self._drawn = True

    def clear(self) -> None:
        if self._drawn:
            sys.stdout.write(_CLEAR)
            sys.stdout.flush()
            self._drawn = False


def watch(ask: Ask, started: RunStarted) -> int:
    """Watch a project's dispatch until it is halted. Answers golemctl's exit status."""
    screen = Screen(ask)
    try:
        return _watch(ask, started, screen)
    except KeyboardInterrupt:
        screen.clear()
        return _interrupted(ask, started.project)
    finally:
        screen.clear()


def _watch(ask: Ask, started: RunStarted, screen: Screen) -> int:
    view = ask.call(calls.Status(project=started.project))
    progress = Progress(started.project, started.dispatch, view.attempts)
    if started.attached and not ask.out.json:
        root = next((folder(each.root, ask.out.look()) for each in view.projects), "")
        screen.append(f"{started.project} {root} is dispatched already; watching it from here on.")
    begun = time.monotonic()
    follow = calls.EventsFollow(since=started.since)
    patience = ask.options.timeout or PATIENCE_SECONDS
    records = Records(ask.new_client, follow, screen.tell, patience=patience)
    try:
        while progress.halted is None:
            look = ask.out.look()
            screen.footer(progress.footer(msgspec.structs.replace(look, width=look.width - 1)))
            record = records.take(FOOTER_SECONDS if screen.has_footer else None)
            if record is not None:
                _show(ask, progress, record, screen)
    finally:
        records.close()
    return _finish(ask, progress, time.monotonic() - begun, screen)


def _show(ask: Ask, progress: Progress, record: dict[str, Any], screen: Screen) -> None:
    lines = progress.lines(record, ask.out.look())
    if not ask.out.json:
        if lines:
            screen.append(*lines)
    elif record.get("project") == progress.project:
        ask.out.document(record)


def _finish(ask: Ask, progress: Progress, seconds: float, screen: Screen) -> int:
    view = _status(ask, progress.project)
    blocked = len({gate.item for gate in view.gates})
    paused = sum(item.paused for item in view.items)
    if ask.out.json:
        ask.out.document({"summary": _summary(progress, blocked, paused, seconds, view.gates)})
    else:
        look = ask.out.look()
        told = progress.summary_line(blocked, seconds, look, paused=paused)
        screen.append(told, *waiting_lines(view.gates, look), *_idle(progress, view))
    return WAITS_FOR_HUMAN if view.gates else 0


def _status(ask: Ask, project: str) -> StatusView:
    """How things stand at the end; a daemon that is just being restarted is waited for."""
    deadline = time.monotonic() + (ask.options.timeout or PATIENCE_SECONDS)
    while True:
        ask.close()  # the daemon may have been another one before
        try:
            return ask.call(calls.Status(project=project))
        except Unavailable:
            if time.monotonic() + BETWEEN_TRIES_SECONDS > deadline:
                raise
        time.sleep(BETWEEN_TRIES_SECONDS)


def _idle(progress: Progress, view: StatusView) -> list[str]:
    """What to do when there was nothing to do."""
    if progress.phases or progress.done or view.gates:
        return []
    if progress.triages and all(item.status != "new" for item in view.items):
        return ['There are no new items. Add one: golemctl add "…"']
    if view.items:
        return ["Nothing could be started; golemctl status says why."]
    return ['Nothing is left in the backlog. Add something: golemctl add "…"']


def _summary(
    progress: Progress, blocked: int, paused: int, seconds: float, gates: tuple[GateView, ...]
) -> dict[str, Any]:
    return {
        "project": progress.project,
        "halt_reason": progress.halted,
        "done": progress.done,
        "blocked": blocked,
        "paused": paused,
        "phases": progress.phases,
        "duration_s": round(seconds, 3),
        "spent_usd": round(progress.spent_usd, 6),
        "gates": gates,
    }


def _interrupted(ask: Ask, project: str) -> int:
    """Ctrl-C: nothing new is launched; what still runs is told. A second one only leaves."""
    ask.close()
    try:
        with ask.new_client() as client:
            stopped = client.call(calls.RunStop(project=project))
        ask.out.aside("", *stopped_lines(stopped, ask.out.look()))
    except Fault as fault:
        ask.out.aside("", "The dispatch could not be stopped; it goes on.")
        ask.out.fault(fault)
    except KeyboardInterrupt:
        ask.out.aside("", f"Left; whether the dispatch of {project} was stopped, golemctl status says.")
    return INTERRUPTED
