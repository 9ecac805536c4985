"""Ending processes that are not our children: by pidfd, after a look at the start time, politely first."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from typing import Final

import trio

from golemd.adapters.processes.proctable import Process, is_running, look_up

KILL_SECONDS: Final = 10.0  # how long SIGKILL is repeated before what is left is reported as not to be ended
RESCAN_SECONDS: Final = 1.0  # between two rounds of SIGKILL at most

_log = logging.getLogger(__name__)


def open_process(pid: int, start: int) -> int | None:
    """A pidfd of exactly this process; None when it is gone. The start time is compared after the opening: then the
    pid cannot pass to another process in between.
    """
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    row = look_up(pid)
    if row is None or row.start != start:
        os.close(fd)
        return None
    return fd


def send(pid: int, start: int, number: int) -> bool:
    """Send a signal to exactly this process; whether it was there to take it."""
    fd = open_process(pid, start)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


async def ended(pid: int, start: int) -> bool:
    """Wait for the end of a process. False: it was gone before."""
    fd = open_process(pid, start)
    if fd is None:
        return False
    try:
        await trio.lowlevel.wait_readable(fd)
    finally:
        os.close(fd)
    return True


async def end_all(
    choose: Callable[[], list[Process]], grace_seconds: float, polite_signal: int = signal.SIGTERM
) -> list[int]:
    """End all that `choose` finds, until it finds nothing: `polite_signal`, the grace, SIGKILL.

    Answers the pids that were ended. `choose` runs in a thread. What survives SIGKILL for KILL_SECONDS (a disk that
    does not answer) is logged.
    """
    kill_at = trio.current_time() + grace_seconds
    give_up_at = kill_at + KILL_SECONDS
    told: dict[int, int] = {}
    while chosen := await trio.to_thread.run_sync(choose):
        now = trio.current_time()
        if now >= give_up_at:
            _log.error("processes that cannot be ended: %s", [row.pid for row in chosen])
            break
        polite = now < kill_at
        for row in chosen:
            if send(row.pid, row.start, polite_signal if polite else signal.SIGKILL):
                told[row.pid] = row.start
            send(row.pid, row.start, signal.SIGCONT)  # one that is stopped could not hear it
        with trio.move_on_at(kill_at if polite else now + RESCAN_SECONDS):
            async with trio.open_nursery() as nursery:
                for row in chosen:
                    nursery.start_soon(ended, row.pid, row.start)
    return sorted(pid for pid, start in told.items() if not is_running(pid, start))
