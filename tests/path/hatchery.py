"""Daemons without the time that their imports take: forked from a process that has made them already.

Imports are most of a daemon's start, and the tests of the whole path start a thousand. What is forked is a process of
its own, with the arguments, environment, folder and output that it is given; it runs `golemd.__main__.main` and ends as
`python -m golemd` does. Tests that are about the start itself run that.

The hatchery is a process with one thread, started at the first use and gone with the test process, whose end it sees on
the socket between them. It knows of a daemon's end by its pidfd, and tells the status through a pipe.
"""

from __future__ import annotations

import functools
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tests.path.ground import GUARD_SECONDS

MOST_BYTES: Final = 1 << 17
STDIN, STDOUT, STDERR = range(3)


class Order(Struct, frozen=True):
    """What a daemon is to be; its output and the pipe for its status come as file descriptors with it."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]


class Hatched:
    """A daemon, as `subprocess.Popen` would show it."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, when it has ended; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("golemd", timeout or 0.0)
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode

    def poll(self) -> int | None:
        """Its exit status; None while it runs. The hatchery may not have told yet of one that has just ended."""
        if self.returncode is None and not _is_readable(self._status) and _runs(self.pid):
            return None
        return self.wait(GUARD_SECONDS)

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not _is_readable(process)
    finally:
        os.close(process)


def _is_readable(file: int) -> bool:
    return bool(select.select([file], [], [], 0)[0])


def hatch(arguments: Sequence[str | Path], folder: Path, environment: Mapping[str, str], output: int) -> Hatched:
    """Start a daemon, as `python -m golemd ARGUMENTS` would be started, with stdout and stderr in `output`."""
    ours, _ = _hatchery()
    status, told = os.pipe()
    order = Order([str(each) for each in arguments], str(folder), dict(environment))
    socket.send_fds(ours, [msgspec.json.encode(order)], [output, told])
    os.close(told)
    return Hatched(int(ours.recv(16)), status)


@functools.cache
def _hatchery() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(GUARD_SECONDS)
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "tests.path.hatchery", str(theirs.fileno())]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    return ours, process


# --- the hatchery's own process ----------------------------------------------------------------------------------


def main(listened: int) -> int:
    """Fork a daemon for every order, until nobody is left to give one."""
    from golemd.__main__ import main as golemd  # the tests' own process need not

    gc.freeze()  # no daemon's collections walk over what all of them share
    orders = socket.socket(fileno=listened)
    living: dict[int, tuple[int, int]] = {}  # pidfd → the daemon, and where its status is told
    while True:
        for ready in select.select([listened, *living], [], [])[0]:
            if ready != listened:
                pid, told = living.pop(ready)
                os.write(told, b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(told)
                os.close(ready)
                continue
            data, files, _, _ = socket.recv_fds(orders, MOST_BYTES, 2)
            if not data:
                return 0
            output, told = files
            order = msgspec.json.decode(data, type=Order)
            if (pid := os.fork()) == 0:
                _become(order, output)
                return golemd(order.arguments)
            os.close(output)
            living[os.pidfd_open(pid)] = pid, told
            orders.send(b"%d" % pid)


def _become(order: Order, output: int) -> None:
    """In the child: nothing of the hatchery's is left open, and the surroundings are those of the order."""
    os.dup2(output, STDOUT)
    os.dup2(output, STDERR)
    os.closerange(STDERR + 1, os.sysconf("SC_OPEN_MAX"))
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    sys.argv[1:] = order.arguments


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
