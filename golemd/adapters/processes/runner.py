"""The seam `Runner`, and `LocalRunner`: attempts as supervised processes of this machine.

An attempt is over only by its durable record (`result`, `wait`) or by a successful `fence`, never because it cannot be
seen. Everything about an attempt is in its folder, so a runner keeps nothing that the next one would miss: what it
started and what it adopted are waited for in the same way, by a pidfd of the shim, and the answer is read from disk.
"""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakValueDictionary

import trio

from golemd.adapters.processes import logs, proctable, reaper, task
from golemd.adapters.processes.files import AttemptFiles
from golemd.adapters.processes.launch import Launch, launch_plain, shim_argv, shim_file
from golemd.adapters.processes.proctable import ATTEMPT, INSTANCE, Process
from golemd.adapters.processes.records import (
    AttemptSpec,
    Exit,
    Identity,
    Lost,
    Observation,
    Stream,
    Verdict,
    verdict,
)
from golemd.adapters.processes.watch import renames_into
from golemd.api.faults import Conflict, Unavailable

__all__ = ["AttemptSpec", "Exit", "Identity", "LocalRunner", "Lost", "Observation", "Runner", "Stream", "Verdict"]

ADOPT_SECONDS: Final = 5.0  # how long a held attempt may take to say who it is
SWEEP_GRACE_SECONDS: Final = 5.0
STATUS_BYTES: Final = 4096  # that are remembered of what is said instead of a status line
STATUS: Final = re.compile(rb"^(started|over|ended|failed ([a-z]+) (\d+))\n", re.MULTILINE)

_log = logging.getLogger(__name__)


class Runner(Protocol):
    """Where attempts run."""

    async def submit(self, spec: AttemptSpec) -> Identity | Exit:
        """Start an attempt; once only, however often it is asked. Raises Unavailable `could_not_spawn`."""

    def observe(self, attempt: str) -> Observation:
        """What is known just now. Never raises for what is unknown."""

    def observe_all(self) -> dict[str, Observation]:
        """The same for every attempt that there is."""

    def verdict(self, attempt: str) -> Verdict:
        """What to do with an attempt found at start."""

    async def wait(self, attempt: str) -> Exit | Lost:
        """Until it is over or lost."""

    def stop(self, attempt: str, grace_now: bool = False) -> bool:
        """Ask for the end. True: accepted, not yet dead; False: there is nothing to ask."""

    async def fence(self, attempt: str) -> Exit:
        """Close what never started, for good. Raises Conflict, Unavailable."""

    def result(self, attempt: str) -> Exit | None:
        """The durable end, immutable once seen."""

    def logs(self, attempt: str, stream: Stream, offset: int, limit: int) -> bytes:
        """A piece of the output."""

    def tail(
        self,
        attempt: str,
        lines: int = 3,
        shown: Callable[[str], list[str]] | None = None,
        mask: Callable[[str], str] = str,
    ) -> list[str]:
        """The last lines of the output, fit for a terminal; `shown` says what a line of the program's means, `mask`
        takes out of one what nobody may see.
        """

    def last_output_at(self, attempt: str) -> str | None:
        """When it last wrote, RFC 3339 UTC."""

    def has_logs(self, attempt: str) -> bool:
        """Whether its output is still there."""

    async def remove_logs(self, chosen: Callable[[str], bool]) -> int:
        """Remove output and prompts of the attempts that are `chosen`; of how many there was something to remove."""

    async def sweep(self, live: AbstractSet[str]) -> list[int]:
        """End every process of this instance's attempts that are not `live`; the pids that were ended."""

    async def end_leftovers(self, attempt: str) -> list[int]:
        """End every process of one attempt; the pids that were ended."""

    def attempt_of(self, pid: int) -> str | None:
        """The attempt that a process belongs to; "unknown" when it is gone, None for others."""


class LocalRunner:
    """A Runner of local processes; `state` is the state folder, `instance` its random name.

    `launch` starts a shim and may be replaced, say by one that gives each a scope of its own.
    """

    def __init__(self, state: Path, instance: str, launch: Launch = launch_plain) -> None:
        self._files = AttemptFiles(state)
        self._instance = instance
        self._launch = launch
        self._shim = shim_file(state)
        self._boot_id = proctable.boot_id()
        self._locks: WeakValueDictionary[str, trio.Lock] = WeakValueDictionary()
        self._launching: set[str] = set()
        self._children: dict[str, int] = {}  # attempt → its shim, a child of ours that has not been reaped
        self._seen_end: set[str] = set()  # attempts whose shim's end we saw: their session ids are still theirs

    async def submit(self, spec: AttemptSpec) -> Identity | Exit:
        """Start an attempt, or say what it has come to if it was submitted before.

        Returns when the program's identity is durable, or its end if it could not be spawned (a program that cannot be
        executed is an Exit too, seen by `wait`). Raises Invalid `bad_spec`; Unavailable `could_not_spawn` when nothing
        has run and it may be tried again; Conflict `attempt_started` when it ran and its identity cannot be read.
        """
        task.check(spec)
        attempt = spec.attempt
        async with self._locks.setdefault(attempt, trio.Lock()):
            said = b""
            if (known := self._outcome(attempt)) is None:
                self._launching.add(attempt)
                try:
                    said = await self._start(spec)
                finally:
                    self._launching.discard(attempt)
                if self._outcome(attempt) is None and self._files.observe(attempt).held:
                    await self._settle(attempt)  # a shim that an earlier daemon launched came first
                known = self._outcome(attempt)
            if known is None:
                raise self._not_started(attempt, said)
            return known

    def _outcome(self, attempt: str) -> Exit | Identity | None:
        seen = self.observe(attempt)
        return seen.exit or seen.identity

    def _not_started(self, attempt: str, said: bytes) -> Conflict | Unavailable:
        if self._files.observe(attempt).started:
            return Conflict("attempt_started", f"attempt {attempt} has started, and what it says of it cannot be read")
        status = STATUS.search(said)
        if status is not None and status[2]:
            return _could_not_spawn(f"{status[2].decode()}: {os.strerror(int(status[3]))}", int(status[3]))
        return _could_not_spawn(_told(said) or "its shim ended without a word")

    async def _start(self, spec: AttemptSpec) -> bytes:
        """Launch a shim; the end of what was said until it ended, or told by a status line how far it came."""
        try:
            status, pid = await trio.to_thread.run_sync(self._prepare_and_launch, spec)
        except OSError as error:
            raise _could_not_spawn(f"{error.strerror}", error.errno) from error
        self._children[spec.attempt] = pid
        said = b""
        async with trio.lowlevel.FdStream(status) as stream:
            while not STATUS.search(said) and (more := await stream.receive_some(STATUS_BYTES)):
                said = (said + more)[-STATUS_BYTES:]
        row = proctable.look_up(pid)
        found = STATUS.search(said)
        if (found is None or found[1] != b"started") and row is not None:
            await reaper.ended(pid, row.start)
        self._reap(spec.attempt)
        return said

    def _prepare_and_launch(self, spec: AttemptSpec) -> tuple[int, int]:
        folder = self._files.make(spec.attempt)
        self._files.write_spec(spec)
        marks = {INSTANCE: self._instance, ATTEMPT: spec.attempt}
        env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        given = os.memfd_create("golem-spec", os.MFD_CLOEXEC)
        status, writer = os.pipe2(os.O_CLOEXEC)
        try:
            with open(given, "wb", closefd=False) as file:
                file.write(task.marshalled(spec, {"PYTHONUNBUFFERED": "1", **spec.env, **marks}, self._boot_id))
            os.lseek(given, 0, os.SEEK_SET)
            pid = self._launch(shim_argv(self._shim, folder), {**env, **marks}, given, writer, spec.memory_bytes)
        except BaseException:
            os.close(status)
            raise
        finally:
            os.close(given)
            os.close(writer)
        return status, pid

    def observe(self, attempt: str) -> Observation:
        """What the attempt's folder says just now; one that is being launched counts as held."""
        self._reap(attempt)
        if attempt not in self._launching:
            return self._files.observe(attempt)
        return Observation(held=True, started=False, identity=None, exit=None)  # the shim must find the lock free

    def observe_all(self) -> dict[str, Observation]:
        """Every attempt that has a folder."""
        return {attempt: self.observe(attempt) for attempt in self._files.ids()}

    def verdict(self, attempt: str) -> Verdict:
        """What to do with an attempt found at start: see `records.verdict`."""
        seen = self.observe(attempt)
        started = seen.identity is not None if seen.held else seen.started
        return verdict(seen.held, started, seen.exit is not None, self._is_of_this_boot(seen.identity))

    def _is_of_this_boot(self, identity: Identity | None) -> bool:
        return identity is not None and identity.boot_id == self._boot_id

    async def wait(self, attempt: str) -> Exit | Lost:
        """Until the attempt is over, whoever launched it. Lost: its shim is gone (or never was) and left no end."""
        while True:
            if (lock := self._locks.get(attempt)) is not None:  # it is being started
                async with lock:
                    pass
            seen = self.observe(attempt)
            shim = self._shim_of(seen)
            if shim is not None:
                if await reaper.ended(shim.shim_pid, shim.shim_start):
                    self._seen_end.add(attempt)
            elif seen.exit is not None:
                self._seen_end.discard(attempt)
                return seen.exit
            elif not seen.held or (seen.identity is not None and not self._is_of_this_boot(seen.identity)):
                return Lost(attempt=attempt, identity=seen.identity)
            else:
                await self._settle(attempt)

    def _shim_of(self, seen: Observation) -> Identity | None:
        """The identity, if its shim lives and holds the lock: then all that follows is its to say."""
        who = seen.identity
        if not seen.held or who is None or not self._is_of_this_boot(who):
            return None
        return who if proctable.is_running(who.shim_pid, who.shim_start) else None

    async def _settle(self, attempt: str) -> None:
        """The lock is held by nobody we know. Give it ADOPT_SECONDS to say who it is, or to end; then end it."""
        try:
            with trio.move_on_after(ADOPT_SECONDS), renames_into(self._files.folder(attempt)) as changed:
                while self._is_unclear(attempt):
                    await self._news(attempt, changed)
        except OSError as error:  # no inotify to be had; the time is given all the same
            _log.warning("cannot watch attempt %s: %s", attempt, error)
            await trio.sleep(ADOPT_SECONDS)
        if self._is_unclear(attempt):
            _log.warning("attempt %s is held by an unknown process and is ended", attempt)
            if not await self.end_leftovers(attempt, SWEEP_GRACE_SECONDS):
                await trio.sleep(ADOPT_SECONDS)  # somebody else's lock; nothing of it can be waited for

    def _is_unclear(self, attempt: str) -> bool:
        seen = self.observe(attempt)
        return seen.held and seen.exit is None and self._shim_of(seen) is None

    async def _news(self, attempt: str, changed: int) -> None:
        """Until a record appears in the folder or one of the attempt's processes ends."""
        async with trio.open_nursery() as nursery:

            async def first(news: Callable[[], object]) -> None:
                await news()  # type: ignore[misc]
                nursery.cancel_scope.cancel()

            for row in await trio.to_thread.run_sync(self._chooser(attempt)):
                nursery.start_soon(first, partial(reaper.ended, row.pid, row.start))
            await trio.lowlevel.wait_readable(changed)
            with suppress(BlockingIOError):
                os.read(changed, 4096)
            nursery.cancel_scope.cancel()

    def stop(self, attempt: str, grace_now: bool = False) -> bool:
        """Ask the shim to end the attempt; asked again, or with `grace_now`, by SIGKILL at once."""
        shim = self._shim_of(self.observe(attempt))
        number = (
            signal.SIGQUIT if grace_now else signal.SIGTERM
        )  # a second SIGTERM, say after a crash, must not cut the grace
        return shim is not None and reaper.send(shim.shim_pid, shim.shim_start, number)

    async def fence(self, attempt: str) -> Exit:
        """Close an attempt that never started, for good; the Exit that then holds. See `AttemptFiles.fence`."""
        if attempt in self._launching:
            raise Conflict("attempt_held", f"attempt {attempt} is being started", "stop it first")
        return await trio.to_thread.run_sync(self._files.fence, attempt)

    def result(self, attempt: str) -> Exit | None:
        """The durable end; None while there is none, or its shim is still about to make it durable."""
        seen = self.observe(attempt)
        return seen.exit if self._shim_of(seen) is None else None

    def logs(self, attempt: str, stream: Stream, offset: int, limit: int) -> bytes:
        """At most `limit` bytes (1 MiB) of the output from `offset`."""
        return logs.read(self._files.folder(attempt), stream, offset, limit)

    def tail(
        self,
        attempt: str,
        lines: int = 3,
        shown: Callable[[str], list[str]] | None = None,
        mask: Callable[[str], str] = str,
    ) -> list[str]:
        """The last lines of the output, without escapes and control characters. See `logs.tail`."""
        return logs.tail(self._files.folder(attempt), lines, shown, mask)

    def last_output_at(self, attempt: str) -> str | None:
        """When the output last grew, RFC 3339 UTC; None when there is none."""
        return logs.last_output_at(self._files.folder(attempt))

    def has_logs(self, attempt: str) -> bool:
        """Whether the output of an attempt is there; of one that never began there is none to miss."""
        folder = self._files.folder(attempt)
        return os.path.lexists(folder / "stdout.log") or not os.path.lexists(folder / "started.json")

    async def remove_logs(self, chosen: Callable[[str], bool]) -> int:
        """Remove output and prompts of the attempts that are `chosen`; of how many there was something to remove.

        They must be over. Records and results stay. Raises OSError.
        """
        return await trio.to_thread.run_sync(self._files.remove_logs, chosen)

    async def sweep(self, live: AbstractSet[str], grace_seconds: float = SWEEP_GRACE_SECONDS) -> list[int]:
        """End every process that carries this instance and an attempt that is not `live`. The pids that were ended."""
        keep = frozenset(live)
        choose = partial(proctable.choose, self._instance, lambda attempt: attempt not in keep)
        return await reaper.end_all(choose, grace_seconds)

    async def end_leftovers(self, attempt: str, grace_seconds: float = SWEEP_GRACE_SECONDS) -> list[int]:
        """End every process that carries this instance and this attempt, its shim too. The pids that were ended."""
        return await reaper.end_all(self._chooser(attempt), grace_seconds)

    def _chooser(self, attempt: str) -> Callable[[], list[Process]]:
        identity = self._files.observe(attempt).identity if attempt in self._seen_end else None
        sessions = frozenset({identity.pid} if identity is not None else ())
        return partial(proctable.choose, self._instance, lambda other: other == attempt, sessions)

    def attempt_of(self, pid: int) -> str | None:
        """The attempt that a process belongs to; "unknown" when the process is gone, None for everybody else's."""
        return proctable.attempt_of(pid, self._instance)

    def _reap(self, attempt: str) -> None:
        """Let go of the attempt's shim, if it is ours and has ended."""
        if (pid := self._children.get(attempt)) is not None:
            try:
                gone = os.waitpid(pid, os.WNOHANG)[0] == pid
            except ChildProcessError:
                gone = True
            if gone:
                del self._children[attempt]


def _could_not_spawn(why: str, number: int | None = 0) -> Unavailable:
    """A refusal of the moment: nothing has run, and nothing was lost but time."""
    way_out = "If golemd or its Python was replaced or removed, restart golemd: systemctl --user restart golemd"
    return Unavailable("could_not_spawn", f"It could not be started: {why}.", way_out, errno=number)


def _told(said: bytes) -> str:
    """The one line that says most: an error's, or else the last."""
    lines = [line for each in said.decode("utf-8", "replace").split("\n") if (line := logs.clean(each))]
    return next((line for line in lines if "rror: " in line), lines[-1] if lines else "").rstrip(".")
