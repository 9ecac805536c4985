"""Reading from all connections in one task: what takes no waiting is dealt with here, without a task switch for each.

A connection asks `quick` to read for it. Its function is called whenever something has come, and says False when more
is to be done than can be done at once: the rest of a message to wait for, a client that takes no answers, an end.
Then the connection's own task goes on, and comes back when it is through.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Final

import trio

READY: Final = 32  # connections that are read from in a row, until all other tasks have had their turn

Read = Callable[[], bool]


class _Reading:
    """One connection that is read from: how, and what tells it that it must go on by itself."""

    __slots__ = ("error", "over", "read")

    def __init__(self, read: Read) -> None:
        self.read = read
        self.over = trio.Event()
        self.error: Exception | None = None


class Readers:
    """An epoll of its own inside trio's. `run` must run; while nothing comes it sleeps."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readings: dict[int, _Reading] = {}

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for file, _ in self._epoll.poll(0, READY):
                self._read(file, self._readings[file])

    def close(self) -> None:
        """Nobody reads any more."""
        self._epoll.close()

    async def quick(self, sock: socket.socket, read: Read) -> None:
        """Have `read` called whenever something has come, until it says False; what it raises is raised here."""
        file, reading = sock.fileno(), _Reading(read)
        self._readings[file] = reading
        self._epoll.register(file, select.EPOLLIN)
        try:
            await reading.over.wait()
        finally:
            if not reading.over.is_set():
                self._end(file)
        if reading.error is not None:
            raise reading.error

    def _read(self, file: int, reading: _Reading) -> None:
        try:
            if reading.read():
                return
        except Exception as error:
            reading.error = error
        self._end(file)
        reading.over.set()

    def _end(self, file: int) -> None:
        del self._readings[file]
        self._epoll.unregister(file)
