"""Lives of the `writer` on a state folder of real files, and what of them must be found there afterwards.

Nothing here asks the journal: the commands that were told of are looked for in its files, as they are published.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from tests.faults.outside import commands_of, head_seq, records_of
from tests.faults.proof import Tally
from tests.faults.real.writer import LARGEST, Order

SOURCES: Final = Path(__file__).resolve().parents[3]
ANSWER_SECONDS: Final = 60.0
KILLED: Final = -signal.SIGKILL

Meanwhile = Callable[[int], None]
"""What is done with a process that has stopped itself, before it goes on: it is given its pid."""


class Writers:
    """The parent of all writers: one life after the other."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(ANSWER_SECONDS)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the rest
        with theirs:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.real.writer", str(theirs.fileno())],
                cwd=SOURCES,
                stdin=subprocess.PIPE,
                stderr=self._said,
                pass_fds=[theirs.fileno()],
            )
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._channel.close()
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        if self.pid:  # it was left in the middle of a life
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._parent.wait(ANSWER_SECONDS)
        self._said.close()

    def begin(self, order: Order, meanwhile: Meanwhile = lambda pid: None) -> None:
        """Let a process begin a life; it has stopped when `meanwhile` gets it, and goes on afterwards."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(msgspec.json.encode(order) + b"\n")
        self._parent.stdin.flush()
        self.pid = int(self.hear().removeprefix("stopped "))
        meanwhile(self.pid)
        os.kill(self.pid, signal.SIGCONT)

    def hear(self) -> str:
        """The next thing that is told. Raises TimeoutError."""
        said = self._channel.recv(1024).decode()
        if said.startswith("ended "):
            self.pid = 0
        return said

    def said(self) -> str:
        """What writers wrote to standard error, and nobody has seen yet."""
        end = self._said.seek(0, os.SEEK_END)
        self._said.seek(0)
        text = self._said.read(end).decode(errors="replace")
        self._said.seek(0)
        self._said.truncate()
        return text


class Place:
    """A state folder, and everything that its writers have told."""

    def __init__(self, writers: Writers, state: Path, tally: Tally) -> None:
        self.state = state
        self._writers = writers
        self.tally = tally
        self._lives = 0
        self.told: dict[str, int] = {}  # name → how many records
        self.refused: set[str] = set()
        self.ready = 0  # records that the newest start has found; -1 when there was none
        state.mkdir(mode=0o700, exist_ok=True)

    def begin(self, meanwhile: Meanwhile = lambda pid: None, **how: int) -> None:
        """Let a life begin."""
        self._lives += 1
        self.ready = -1
        self._writers.begin(Order(state=str(self.state), life=f"n{self._lives}", **how), meanwhile)

    @property
    def pid(self) -> int:
        """Of the life that goes on."""
        return self._writers.pid

    def hear(self) -> int | None:
        """Take in the next thing that is told; the exit status when it was the end."""
        word, rest = self._writers.hear().split(" ", 1)
        if word == "ready":
            self.ready = int(rest)
        elif word == "told":
            self.told[rest] = 1 + int(rest.rpartition("-")[2]) % LARGEST
        elif word == "refused":
            self.refused.add(rest)
        return int(rest) if word == "ended" else None

    def end(self) -> int:
        """Hear everything until the end of the life; its exit status."""
        while (status := self.hear()) is None:
            pass
        return status

    def live(self, meanwhile: Meanwhile = lambda pid: None, **how: int) -> int:
        """A whole life; its exit status."""
        self.begin(meanwhile, **how)
        return self.end()

    def look(self, what: str) -> None:
        """What is in the files: every line follows, and what was told of is there, once and whole."""
        expect = self.tally.expect
        try:
            records = records_of(self.state)
        except AssertionError as error:
            expect(False, f"{what}: a line does not follow: {error}")
            return
        expect(head_seq(self.state) <= len(records), f"{what}: the head is ahead of the journal")
        found: dict[str, list[int]] = {}
        for command in commands_of(records):
            if not command[-1].get("more"):
                found.setdefault(command[0].get("cause", ""), []).append(len(command))
        for name, count in self.told.items():
            expect(found.get(name) == [count], f"{what}: {name} was told of, {count} records: {found.get(name)}")
        for name in self.refused & found.keys():
            expect(False, f"{what}: {name} was refused, and is there")

    def start_again(self, what: str) -> None:
        """A plain life after a bad one: it starts with what is there, goes on, and ends in good order."""
        self.look(what)
        status = self.live(commands=2, at_once=2)
        self.tally.expect(status == 0, f"{what}: the next life ends with {status}: {self._writers.said()[-2000:]}")
        self.look(f"after {what}")

    def quiet(self, what: str) -> None:
        """Nobody has met a defect of its own."""
        said = self._writers.said()
        self.tally.expect("Traceback" not in said, f"{what}: {said[-2000:]}")
