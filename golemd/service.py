"""golemd and its service manager, while it runs: being watched, being stopped or only restarted, saying how it is.

Without a manager (no NOTIFY_SOCKET, no WATCHDOG_USEC) nothing here wakes up.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final

import trio

from golemd.adapters.notify import ASK_FOR_TIME_SECONDS, more_time, notify, watchdog_seconds
from golemd.adapters.processes.launch import Launch, launch_plain
from golemd.adapters.processes.scopes import launch_in_scope
from golemd.adapters.user_manager import UserManager
from golemd.api.words import count
from golemd.engine.context import ROOM_SECONDS
from golemd.engine.engine import Engine

PINGS_A_LIMIT: Final = 3  # how often the watchdog is told within its limit
_WAITS_FOR_ROOM: Final = "STATUS=Starting: waits for room on the disk of the state folder"
_STOPPING: Final = {"end": "Stopping: agents are ended", "keep": "Stopping: agents run on"}

log = logging.getLogger(__name__)


def launch_of(manager: UserManager | None, environ: Mapping[str, str]) -> Launch:
    """How shims are launched here: in scopes of their own where the user has a systemd manager, else plainly."""
    log.info("agents run %s", "in scopes of their own" if manager is not None else "beside golemd (no systemd manager)")
    return launch_plain if manager is None else launch_in_scope(manager, _own_unit(manager, environ))


def _own_unit(manager: UserManager, environ: Mapping[str, str]) -> str:
    try:
        return manager.own_unit(environ)
    except OSError as error:
        log.warning("of which unit golemd is cannot be asked: %s", error)
        return ""


async def how_to_stop(manager: UserManager | None, environ: Mapping[str, str], on_stop: str) -> str:
    """What a signal to stop means: "keep" when the manager is restarting our unit, else what `on_stop` says."""
    is_restart = manager is not None and await trio.to_thread.run_sync(_is_restarting, manager, environ)
    return "keep" if is_restart else on_stop


def _is_restarting(manager: UserManager, environ: Mapping[str, str]) -> bool:
    try:
        unit = manager.own_unit(environ)
        return bool(unit) and manager.is_restarting(unit)
    except OSError as error:
        log.warning("whether this is a restart cannot be asked: %s", error)
        return False


async def keep_told(engine: Engine, environ: Mapping[str, str]) -> None:
    """While a watchdog watches: tell it that all is well, each time only after the planner has gone round.

    A round ends only when all that is staged is durable, so a journal that hangs or has failed is not well either.
    """
    limit = watchdog_seconds(environ)
    while limit is not None:
        await engine.turn()
        notify(environ, "WATCHDOG=1")
        await trio.sleep(limit / PINGS_A_LIMIT)


async def wait_for_room(environ: Mapping[str, str]) -> None:
    """While a start has no room on the disk, before there is an engine: say so, wait a while, ask for that time."""
    notify(environ, _WAITS_FOR_ROOM, more_time())
    await trio.sleep(ROOM_SECONDS)


async def tell_of_waiting(engine: Engine, environ: Mapping[str, str]) -> None:
    """While the start waits for room on a full disk: say so, and ask for the time that it takes."""
    await engine.lacks_room.wait()
    while engine.parts.journal.degraded:
        notify(environ, _WAITS_FOR_ROOM, more_time())
        await trio.sleep(ASK_FOR_TIME_SECONDS)


async def tell_of_stopping(engine: Engine, environ: Mapping[str, str]) -> None:
    """Tell that we stop, and ask for the time that agents may take for it."""
    await engine.stop_asked.wait()
    graces = [config.execution.grace_seconds for config in engine.state.configs.values()]
    notify(environ, "STOPPING=1", f"STATUS={_STOPPING[engine.stopping]}", more_time(max(graces, default=0.0)))


def tell_ready(engine: Engine, environ: Mapping[str, str]) -> None:
    """Tell that the socket answers."""
    records = count(engine.state.seq, "record")
    status = f"STATUS=Ready: {count(len(engine.state.projects), 'project')}, {records} at the start"
    notify(environ, "READY=1", status)
    log.info("ready: %s, %s, pid %d", engine.parts.socket_path, records, os.getpid())
