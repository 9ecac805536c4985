"""What all of the engine shares: the state, the adapters, and the way of a command: decide → stage → fold → durable.

Effects, queries and streams are given a Context and nothing else, so none of them knows the planner.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar, TypeVarTuple

import trio

from golemd.adapters.clock import Clock
from golemd.adapters.files import Files
from golemd.adapters.journal import Journal
from golemd.adapters.machine import Machine
from golemd.adapters.notifier import Notifier
from golemd.adapters.processes.runner import Runner
from golemd.adapters.workspace import Hold, Workspaces
from golemd.api.events import Record
from golemd.core import commands as cmd
from golemd.core.decide import decide
from golemd.core.decide.common import Decided
from golemd.core.evolve import fold
from golemd.core.slots import Limits
from golemd.core.state import State
from golemd.engine.search_path import SearchPath
from golemd.settings import Settings

T = TypeVar("T")
Taken = TypeVarTuple("Taken")
STARTS_AT_ONCE: Final = 8  # runs that enter, and attempts that are launched; more would only be in each other's way
ROOM_SECONDS: Final = 1.0  # between two looks whether a full disk has room again


class InThread(Protocol):
    """What does work that takes long beside the loop, in a thread."""

    async def __call__(self, work: Callable[[*Taken], T], /, *args: *Taken) -> T: ...


class Parts:
    """What the engine is built from. Disk, clock, dice, processes and threads are given, never reached for.

    `settings_now` reads golemd.toml again, and makes the notifier that it asks for. It raises Invalid for a bad one.
    """

    def __init__(
        self,
        *,
        state_dir: Path,
        socket_path: Path,
        settings: Settings,
        settings_now: Callable[[], tuple[Settings, Notifier | None]],
        clock: Clock,
        journal: Journal,
        runner: Runner,
        workspaces: Workspaces,
        files: Files,
        machine: Machine,
        in_thread: InThread,
        instance: str,
        boot_id: str,
        pid: int,
        environ: dict[str, str],
        notifier: Notifier | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.socket_path = socket_path
        self.settings = settings
        self.settings_now = settings_now
        self.clock = clock
        self.journal = journal
        self.runner = runner
        self.workspaces = workspaces
        self.files = files
        self.machine = machine
        self.in_thread = in_thread
        self.instance = instance
        self.boot_id = boot_id
        self.pid = pid
        self.environ = environ
        self.notifier = notifier


class Context:
    """The state, the parts it stands on, and the one way in which commands become durable facts."""

    def __init__(self, parts: Parts, state: State) -> None:
        self.parts = parts
        self.state = state
        self.began_with = parts.settings.limits
        self.limits = _limits(parts.settings)
        self.prune_at_us: int | None = None  # when old logs are removed next; not before the daemon is ready
        self.short = ""  # what the machine has too little of, while that holds agents back
        self.alarm = parts.clock.alarm()
        self.search_path = SearchPath(parts.settings.environment.path, parts.environ)
        self.held: dict[str, Hold] = {}
        self.in_flight: set[str] = set()
        self.failing: dict[str, str] = {}  # effects that are tried again and again, which no gate tells of: why
        self.claimed: set[str] = set()  # attempts that this daemon started, or found running and adopted
        self.good_programs: set[tuple[str, int, int]] = set()  # whose version will do: path, time of change, size
        self.filing = trio.Lock()  # reports are written one after the other
        self._starts = trio.Semaphore(STARTS_AT_ONCE)
        self.stopping = ""
        self.stop_asked = trio.Event()
        self.started_at = trio.current_time()
        self._settling = 0  # how many wait until all that the state holds is durable
        self._wake = trio.Event()
        self._moved = trio.Event()
        self._turned = trio.Event()
        self._broken = trio.Event()
        self._broken_by: Exception | None = None

    def use(self, settings: Settings, notifier: Notifier | None) -> None:
        """Put what golemd.toml says now into force, but for the limits that the socket and the journal began with."""
        self.parts.settings, self.parts.notifier = settings, notifier
        self.limits = _limits(settings)
        self.search_path.ask_again(settings.environment.path)
        self.begin_to_prune()
        self.wake()

    def begin_to_prune(self) -> None:
        """Old logs are removed now, and once a day from then on, if they are to be removed at all."""
        self.prune_at_us = self.now_us() if self.parts.settings.logs_days else None
        self.wake()

    def now_us(self) -> int:
        """The clock, in microseconds since the epoch."""
        return self.parts.clock.now_us()

    def apply(self, command: cmd.Command, *, body: str = "", token: str = "") -> tuple[Decided, list[Record]]:
        """decide → stage → fold, in one step without an await. Raises Fault: a refusal, which changed nothing."""
        decided = decide(self.state, command, self.now_us())
        journal = self.parts.journal
        if decided.fault is not None:
            body = token = ""
        records = journal.stage(decided.drafts, body=body, cause=token, essential=decided.essential)
        self._fold(records)
        if records:
            self._wake.set()
            moved, self._moved = self._moved, trio.Event()
            moved.set()
        return decided, records

    def _fold(self, records: list[Record]) -> None:
        """Let staged records take effect. What is staged has happened, so a fault here ends the daemon."""
        try:
            for record in records:
                fold(self.state, record)
        except Exception as error:
            self._broken_by = error
            self._broken.set()
            raise

    async def settled(self) -> None:
        """Return when all that the state holds is durable. Clients' changes give way to whoever waits here."""
        journal = self.parts.journal
        self._settling += 1
        try:
            while journal.durable_seq < self.state.seq:
                await journal.durable(self.state.seq)
        finally:
            self._settling -= 1

    async def give_way(self) -> None:
        """Let those go first who wait until all is durable, if there are any: once, so that nobody waits for ever."""
        if self._settling:
            await self.parts.journal.durable(self.state.seq)
            await trio.lowlevel.checkpoint()

    async def report(self, command: cmd.Command) -> bool:
        """Let the daemon's own report take effect, and return when it is durable: whether it changed anything."""
        _, records = self.apply(command)
        await self.settled()
        return bool(records)

    @asynccontextmanager
    async def turn_to_start(self) -> AsyncIterator[None]:
        """Wait for a turn to make something ready that is to run. All that the state then holds is durable."""
        async with self._starts:
            await self.settled()
            yield

    async def moved(self) -> None:
        """Return when the state, or what is held, has moved."""
        await self._moved.wait()

    def wake(self) -> None:
        """The world has changed: plan again."""
        self._wake.set()
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    async def room(self) -> None:
        """Return when a full disk has room again, or the daemon is to stop. Nothing announces room."""
        while not self.stop_asked.is_set() and not self.parts.journal.poke():
            with trio.move_on_after(ROOM_SECONDS):
                await self.stop_asked.wait()


def _limits(settings: Settings) -> Limits:
    return Limits(settings.max_agents, settings.max_concurrent_runs, settings.min_free_gb, settings.min_free_memory_mb)
