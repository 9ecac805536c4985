"""The daemon itself: ping, reload, shutdown, version; and the demo."""

from __future__ import annotations

import os
import select
from typing import Annotated, Final

import golemd
from golemctl.app import REFUSED, Ask
from golemctl.client import DaemonUnreachable
from golemctl.declare import Commands, Option
from golemctl.render.others import pong_lines, problem_lines, reload_lines, shutdown_lines
from golemd.api import calls

END_SECONDS: Final = 30.0
"""How long `shutdown` waits for the daemon's end."""


def register(app: Commands) -> None:
    app.add("ping", ping, "Whether the daemon answers.")
    app.add("reload", reload, "Read all configuration again, and try parked accounts.", calls.Reload.__doc__)
    app.add("shutdown", shutdown, "Stop the daemon.", _SHUTDOWN)
    app.add("version", show_version, "The releases of golemctl and of the daemon.")
    app.add("demo", demo, "See it work, in a temporary place.", _DEMO)


_SHUTDOWN: Final = "Stop the daemon, and wait for its end. Running agents are ended with grace, to start again later."
_DEMO: Final = (
    "Bring three items to done through pipelines, in a temporary place, with a daemon of its own. Leaves nothing."
)


def ping(ask: Ask) -> None:
    ask.out.reply(ask.call(calls.Ping()), pong_lines)


def reload(ask: Ask) -> int:
    view = ask.call(calls.Reload())
    ask.out.reply(view, reload_lines)
    ask.out.aside(*problem_lines(view.problems, ask.out.look()))
    return REFUSED if view.problems else 0


def shutdown(
    ask: Ask,
    keep_agents: Annotated[bool, Option("--keep-agents", help="Agents run on; the next golemd goes on.")] = False,
) -> None:
    daemon = _pidfd(ask.call(calls.Ping()).pid)
    try:
        ask.out.reply(ask.call(calls.Shutdown(keep_agents=keep_agents)), shutdown_lines)
        if daemon is not None and not select.select([daemon], [], [], ask.options.timeout or END_SECONDS)[0]:
            ask.out.aside("golemd has not ended yet; it is still waiting for agents to end.")
    finally:
        if daemon is not None:
            os.close(daemon)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # it has ended, or it lives where this process cannot see it
        return None


def show_version(ask: Ask) -> None:
    found: dict[str, str | None] = {"golemctl": golemd.__version__, "golemd": None}
    try:
        found["golemd"] = ask.call(calls.Ping()).version
    except DaemonUnreachable as fault:
        ask.out.aside(fault.message)
    ask.out.reply(found, lambda found, look: [f"{name} {value}" for name, value in found.items() if value])


def demo(
    ask: Ask,
    keep: Annotated[bool, Option("--keep", help="Leave the files, and say where they are.")] = False,
) -> int:
    from golemctl.demo import run_demo  # only here: it starts processes

    return run_demo(ask, keep=keep)
