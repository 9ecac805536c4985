"""A small program over the real journal: it records commands, and tells of each as soon as it is durable.

`python -m tests.faults.real.writer FD` reads one JSON order a line, and forks a process for each, for starting Python
and its modules anew would be most of the time. The process stops itself before it does anything, so that others may put
it behind strace or limit it. What it tells goes as packets over the socket FD: `ready N`, `told NAME`, `refused NAME`;
when it is gone, its parent adds `ended STATUS`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import trio
from msgspec import Struct

from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Codec, Journal, JournalFault, Limits
from golemd.api.events import DaemonStopped, Draft, Record
from golemd.api.faults import Unavailable

FAILED: Final = 70
LARGEST: Final = 3  # records of one command


class Order(Struct, frozen=True, kw_only=True):
    """What one process does: commands named `<life>-0`, `<life>-1`, … into a state folder, some at the same time."""

    state: str
    life: str
    commands: int = 24
    at_once: int = 3
    text_bytes: int = 40  # of each record
    segment_bytes: int = 4000
    reserve_bytes: int = 65536


class State:
    """What replaying comes to: the texts of all records."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def take(self, record: Record) -> None:
        if isinstance(record.data, DaemonStopped):
            self.texts.append(record.data.reason)

    def restore(self, data: memoryview) -> None:
        self.texts[:] = msgspec.msgpack.decode(data, type=list[str])

    def pieces(self) -> Iterator[bytes]:
        yield msgspec.msgpack.encode(self.texts)


class Writer:
    """One process's life."""

    def __init__(self, order: Order, channel: socket.socket) -> None:
        self._order = order
        self._channel = channel
        self._state = State()
        self._journal: Journal

    async def live(self) -> None:
        """Open the journal, record everything, take a snapshot on the way, close it."""
        order, state = self._order, self._state
        limits = Limits(segment_bytes=order.segment_bytes, reserve_bytes=order.reserve_bytes, chunk_bytes=1000)
        codec = Codec("texts", state.restore)
        self._journal = await Journal.open(Path(order.state), RealDisk(), _now, limits, state.take, codec=codec)
        self._tell(f"ready {len(state.texts)}")
        async with trio.open_nursery() as nursery:
            await nursery.start(self._journal.run)
            if self._journal.repaired_tail is not None:
                self._journal.stage([Draft(self._journal.repaired_tail)])
            for first in range(0, order.commands, order.at_once):
                async with trio.open_nursery() as clients:
                    for number in range(first, min(first + order.at_once, order.commands)):
                        clients.start_soon(self._record, number)
                if first <= order.commands // 2 < first + order.at_once:
                    await self._snapshot()
            await self._journal.aclose()

    async def _record(self, number: int) -> None:
        name = f"{self._order.life}-{number}"
        text = name.ljust(self._order.text_bytes, ".")
        try:
            records = self._journal.stage([Draft(DaemonStopped(reason=text))] * (1 + number % LARGEST), cause=name)
        except Unavailable as refusal:
            if refusal.code != "disk_full":
                raise
            self._tell(f"refused {name}")
            return
        for record in records:
            self._state.take(record)
        await self._journal.durable(records[-1].seq)
        self._tell(f"told {name}")

    async def _snapshot(self) -> None:
        header = self._journal.standing()
        if header is not None:
            await self._journal.keep_snapshot(header, self._state.pieces())

    def _tell(self, what: str) -> None:
        self._channel.send(what.encode())


def _now() -> int:
    return time.time_ns() // 1000


def run(order: Order, channel: socket.socket) -> int:
    """Live; the exit status that a daemon would have. Raises whatever no daemon expects."""
    try:
        trio.run(Writer(order, channel).live)
    except (Exception, BaseExceptionGroup) as error:
        found = list(_leaves(error))
        faults = [each for each in found if isinstance(each, JournalFault)]
        if len(faults) < len(found):
            raise
        return faults[0].exit_status
    return 0


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def main(descriptor: int) -> int:
    """The script: one process after the other, until there are no more orders."""
    channel = socket.socket(fileno=descriptor)
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            os._exit(_child(order, channel))
        os.waitpid(child, os.WUNTRACED)
        channel.send(f"stopped {child}".encode())
        status = os.waitpid(child, 0)[1]
        channel.send(f"ended {os.waitstatus_to_exitcode(status)}".encode())
    return 0


def _child(order: Order, channel: socket.socket) -> int:
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        return run(order, channel)
    except BaseException:
        traceback.print_exc()
        return FAILED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
