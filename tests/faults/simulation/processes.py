"""The processes of the machine: programs with their shims, which live on when the daemon ends, and the Runner.

A shim holds the lock of its attempt's folder for life. Only it says how its program ended, in `exit`, and not if it is
killed. A program whose shim is gone runs on by itself until somebody ends it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

import trio

from golemd.adapters.processes.records import (
    AttemptSpec,
    Exit,
    Identity,
    Lost,
    Observation,
    Reason,
    Stream,
    Verdict,
    verdict,
)
from golemd.api.faults import Conflict, Unavailable
from tests.faults.simulation import behaviour
from tests.faults.simulation.behaviour import Behaviour
from tests.faults.simulation.world import Hands, World

if TYPE_CHECKING:
    from tests.faults.simulation.daemon import Life

SETTLE_SECONDS: Final = 5.0


class Program:
    """A program that runs, with all that descends from it."""

    def __init__(self, world: World, spec: AttemptSpec, does: Behaviour) -> None:
        self._world = world
        self.spec = spec
        self.does = does
        self.pid = 1000 + world.number()
        self.signal: int | None = None
        self.is_alive = True
        self.ended = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Do what is to be done, unless it is ended before."""
        with self._scope:
            await trio.sleep(self.does.seconds / 2)
            if self.does.edits:
                self._world.repositories.edit(self.spec.cwd)
            if self.does.moves_branch:
                self._world.repositories.rewrite(self.spec.cwd)
            if self.does.asks:
                self._world.nursery.start_soon(self._world.people.ask_as_agent, self.spec)
            await trio.sleep(self.does.seconds / 2)
            if self.does.result is not None:
                self._world.files.contents[self.spec.env["GOLEM_RESULT"]] = self.does.result
            self._world.processes.folder(self.spec.attempt).output = self.does.output
            self.signal = self.does.signal
        self._over()

    def kill(self, number: int) -> None:
        """End it, and all that descends from it."""
        if self.is_alive:
            self.signal = number
            self._scope.cancel()
            self._over()

    def _over(self) -> None:
        self.is_alive = False
        self.ended.set()


class Shim:
    """Supervises one attempt."""

    def __init__(self, world: World, spec: AttemptSpec) -> None:
        self._world = world
        self.spec = spec
        self.pid = 1000 + world.number()
        self.program: Program | None = None
        self.told = trio.Event()  # its program has started, or it is over
        self.over = trio.Event()
        self._stop = trio.Event()
        self._now = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """From the lock to the record of the end."""
        folder, dice = self._world.processes.folder(self.spec.attempt), self._world.dice
        with self._scope:
            await trio.sleep(dice.uniform(0.001, 0.05))
            if folder.shim is None and folder.started is None and folder.exit is None:
                folder.shim = self
                await trio.sleep(dice.uniform(0.001, 0.05))
                end = await self._supervise(folder)
                await trio.sleep(dice.uniform(0.001, 0.05))
                folder.exit = end
                self._world.tell("shim", f"{self.spec.attempt} {end.reason or 'ended'} {end.status} {end.signal}")
        self._let_go(folder)

    def kill(self) -> None:
        """SIGKILL: it says nothing more, and its program runs on."""
        self._scope.cancel()
        self._let_go(self._world.processes.folder(self.spec.attempt))

    def _let_go(self, folder: Folder) -> None:
        if folder.shim is self:
            folder.shim = None
        self.told.set()
        self.over.set()

    def stop(self, now: bool) -> None:
        """Begin to end the attempt, or give it no grace any more."""
        self._stop.set()
        if now:
            self._now.set()

    async def _supervise(self, folder: Folder) -> Exit:
        spec, does = self.spec, behaviour.of(self._world, self.spec)
        if does.spawn_errno:
            return self._exit("spawn_failed", number=does.spawn_errno, stage="exec")
        program = self.program = Program(self._world, spec, does)
        folder.started = Identity(
            v=1,
            attempt=spec.attempt,
            pid=program.pid,
            start=program.pid,
            shim_pid=self.pid,
            shim_start=self.pid,
            boot_id=self._world.boot_id,
            at="",
        )
        self._world.processes.begins(program)
        self.told.set()
        begun = trio.current_time()
        reason = await self._watch(program)
        if not reason and does.limit:
            reason = does.limit
            program.signal = signal.SIGKILL
        died = program.signal
        return self._exit(reason, None if died else does.status, died, seconds=trio.current_time() - begun)

    async def _watch(self, program: Program) -> Reason:
        """Until the program has ended, by itself or not."""
        spec = self.spec
        limits: list[tuple[float, Reason]] = [(spec.wall_seconds, "timeout"), (spec.idle_seconds, "idle")]
        seconds, limit = min(each for each in limits if each[0])
        with trio.move_on_after(seconds):
            await _first(program.ended, self._stop)
        if program.ended.is_set():
            return ""
        reason: Reason = "stopped" if self._stop.is_set() else limit
        if program.does.ignores_term:
            with trio.move_on_after(spec.grace_seconds):
                await self._now.wait()
            program.kill(signal.SIGKILL)
        else:
            await trio.sleep(0.01)
            program.kill(signal.SIGTERM)
        return reason

    def _exit(
        self,
        reason: Reason,
        status: int | None = None,
        died: int | None = None,
        *,
        number: int | None = None,
        stage: str = "",
        seconds: float = 0.0,
    ) -> Exit:
        return Exit(
            v=1,
            attempt=self.spec.attempt,
            status=status,
            signal=died,
            reason=reason,
            errno=number,
            duration_s=seconds,
            cpu_s=0.0,
            max_rss_kb=0,
            ended_descendants=self.program.does.leaves if self.program is not None else 0,
            at="",
            stage=stage,
        )


async def _first(*events: trio.Event) -> None:
    """Until one of them is set."""
    async with trio.open_nursery() as nursery:

        async def one(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(one, event)


class Folder:
    """What is known of an attempt on disk. `shim` is who holds its lock."""

    def __init__(self) -> None:
        self.shim: Shim | None = None
        self.started: Identity | None = None
        self.exit: Exit | None = None
        self.output = b""


class Processes:
    """All shims and programs of the machine, and the folders of their attempts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._folders: dict[str, Folder] = {}
        self.programs: list[Program] = []
        self._shims: list[Shim] = []

    def folder(self, attempt: str) -> Folder:
        """Of one attempt, empty until it is launched."""
        return self._folders.setdefault(attempt, Folder())

    def launch(self, spec: AttemptSpec) -> Shim:
        """Start a shim."""
        shim = Shim(self._world, spec)
        self._shims = [each for each in self._shims if not each.over.is_set()] + [shim]
        self._world.nursery.start_soon(shim.run)
        return shim

    def begins(self, program: Program) -> None:
        """A program is started."""
        self.programs = [each for each in self.programs if each.is_alive]
        self._world.promises.begins(program, self.programs)
        self.programs.append(program)
        self._world.tell("program", f"{program.spec.attempt} begins")
        self._world.nursery.start_soon(program.run)

    def alive(self, attempt: str | None = None) -> list[Program]:
        """Programs that run: all, or those of one attempt."""
        return [each for each in self.programs if each.is_alive and attempt in (None, each.spec.attempt)]

    def shims(self) -> list[Shim]:
        """Those that live."""
        return [each for each in self._shims if not each.over.is_set()]

    def end(self, chosen: Callable[[str], bool]) -> list[int]:
        """SIGKILL for shims and programs of the attempts that are chosen; the pids."""
        ended = []
        for shim in self.shims():
            if chosen(shim.spec.attempt):
                shim.kill()
                ended.append(shim.pid)
        for program in self.alive():
            if chosen(program.spec.attempt):
                program.kill(signal.SIGKILL)
                ended.append(program.pid)
        return ended


class SimRunner(Hands):
    """`adapters.processes.runner.Runner` of one daemon."""

    def __init__(self, world: World, life: Life) -> None:
        super().__init__(world, life)
        self._launching: dict[str, trio.Lock] = {}

    def _folder(self, attempt: str) -> Folder:
        self.touch()
        return self.world.processes.folder(attempt)

    async def submit(self, spec: AttemptSpec) -> Identity | Exit:
        await self.moment(f"the start of {spec.attempt}")
        async with self._launching.setdefault(spec.attempt, trio.Lock()):
            folder = self._folder(spec.attempt)
            if (known := folder.exit or folder.started) is not None:
                return known
            self.world.promises.launches(spec.attempt)
            self.trouble("could_not_spawn")
            shim = self.world.processes.launch(spec)
            await shim.told.wait()
            await self.moment(f"the launch of {spec.attempt}")
            if (known := folder.exit or folder.started) is None:
                raise Unavailable("could_not_spawn", "its shim ended without a word", "Try again.")
            return known

    def observe(self, attempt: str) -> Observation:
        folder, lock = self._folder(attempt), self._launching.get(attempt)
        launching = lock is not None and lock.locked() and folder.started is None
        held = launching or folder.shim is not None
        return Observation(held=held, started=folder.started is not None, identity=folder.started, exit=folder.exit)

    def observe_all(self) -> dict[str, Observation]:
        raise AssertionError("nobody asks")

    def verdict(self, attempt: str) -> Verdict:
        seen = self.observe(attempt)
        same_boot = seen.identity is not None and seen.identity.boot_id == self.world.boot_id
        return verdict(seen.held, seen.started, seen.exit is not None, same_boot)

    async def wait(self, attempt: str) -> Exit | Lost:
        while True:
            await self.moment(f"waiting for {attempt}")
            if (lock := self._launching.get(attempt)) is not None:
                async with lock:
                    pass
            folder = self._folder(attempt)
            if folder.shim is None:
                return folder.exit or Lost(attempt=attempt, identity=folder.started)
            if folder.started is not None or folder.exit is not None:
                await folder.shim.over.wait()
                continue
            with trio.move_on_after(SETTLE_SECONDS):
                await folder.shim.told.wait()
            if folder.shim is not None and folder.started is None:
                await self.end_leftovers(attempt)

    def stop(self, attempt: str, grace_now: bool = False) -> bool:
        folder = self._folder(attempt)
        if folder.shim is None or folder.started is None:
            return False
        self.world.tell("daemon", f"stops {attempt}")
        folder.shim.stop(grace_now)
        return True

    async def fence(self, attempt: str) -> Exit:
        await self.moment(f"fencing {attempt}")
        folder, lock = self._folder(attempt), self._launching.get(attempt)
        if folder.shim is not None or (lock is not None and lock.locked()):
            raise Conflict("attempt_held", f"attempt {attempt} is running", "stop it first")
        if folder.exit is None and folder.started is not None:
            raise Conflict("attempt_started", f"attempt {attempt} has started and left no end: it is lost")
        if folder.exit is None:
            folder.exit = Exit(
                v=1,
                attempt=attempt,
                status=None,
                signal=None,
                reason="never_started",
                errno=None,
                duration_s=0.0,
                cpu_s=0.0,
                max_rss_kb=0,
                ended_descendants=0,
                at="",
            )
            self.world.meet("fences")
            await self.moment(f"the fence of {attempt}")
        return folder.exit

    def result(self, attempt: str) -> Exit | None:
        folder = self._folder(attempt)
        return folder.exit if folder.shim is None else None

    def logs(self, attempt: str, stream: Stream, offset: int, limit: int) -> bytes:
        return self._folder(attempt).output[offset : offset + limit] if stream == "stdout" else b""

    def tail(
        self,
        attempt: str,
        lines: int = 3,
        shown: Callable[[str], list[str]] | None = None,
        mask: Callable[[str], str] = str,
    ) -> list[str]:
        return []

    def last_output_at(self, attempt: str) -> str | None:
        return None

    def has_logs(self, attempt: str) -> bool:
        return True

    async def remove_logs(self, chosen: Callable[[str], bool]) -> int:
        await self.moment("removing logs")
        return 0

    async def sweep(self, live: AbstractSet[str]) -> list[int]:
        await self.moment("the sweep")
        return self._ended(self.world.processes.end(lambda attempt: attempt not in live))

    async def end_leftovers(self, attempt: str) -> list[int]:
        await self.moment(f"ending what {attempt} left")
        return self._ended(self.world.processes.end(lambda other: other == attempt))

    def _ended(self, pids: list[int]) -> list[int]:
        if pids:
            self.world.meet("leftovers ended")
        return pids

    def attempt_of(self, pid: int) -> str | None:
        return None
