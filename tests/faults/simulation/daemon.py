"""One daemon, from its start to its end: the real engine and the real journal, in a simulated world."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import trio

from golemd.adapters.journal import Codec, Journal, JournalFailed, Limits
from golemd.adapters.machine import Free
from golemd.adapters.notifier import Notifier
from golemd.api.faults import Fault
from golemd.engine.context import Parts
from golemd.engine.engine import Engine
from golemd.engine.snapshots import Replay
from golemd.settings import Environment, Settings
from golemd.settings import Limits as MoreLimits
from tests.adapters.journal.crashdisk import STATE, PowerCut
from tests.faults.simulation.files import FilesInHand
from tests.faults.simulation.processes import SimRunner
from tests.faults.simulation.repositories import SimWorkspaces
from tests.faults.simulation.world import Hands, World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIMITS: Final = Limits(segment_bytes=40_000, reserve_bytes=16_384, chunk_bytes=4096)
SETTINGS: Final = Settings(
    max_agents=2,
    max_concurrent_runs=3,
    min_free_gb=0.0,
    min_free_memory_mb=1,
    environment=Environment(path="/bin"),
    limits=MoreLimits(snapshot_events=60),
)


class SimMachine:
    """`adapters.machine.Machine`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def host_name(self) -> str:
        return "box"

    def user_name(self, uid: int) -> str:
        return f"user-{uid}"

    def free_disk(self, folders: Sequence[Path]) -> Free | None:
        return None

    def available_memory(self) -> int:
        return self._world.memory

    def memory_pressure(self) -> float | None:
        return 0.0


class SimNotifier(Notifier):
    """Tells people, or cannot."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def problem(self, path: str) -> str:
        return ""

    async def tell(self, about: str, title: str, text: str, document: bytes, path: str = "") -> str:
        world = self._hands.world
        await self._hands.moment(f"telling of {about}", 2.0)
        world.promises.tells(about)
        if world.chance(world.weather.troubles):
            world.meet("trouble: notification")
            return "nobody could be told"
        await self._hands.moment(f"having told of {about}")
        return ""


class Life:
    """One daemon. Once it `is_dead`, whatever of it still runs has no effect on anything."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.name = f"golemd-{number}"
        self.pid = 100 + number
        self.disk = world.disk
        self.is_dead = False
        self.serves = self.has_served = False
        self.engine: Engine | None = None
        self._scope = trio.CancelScope()

    async def live(self) -> None:
        """Until it ends, in whatever way it does."""
        world = self.world
        world.life = self
        world.tell(self.name, "starts")
        try:
            with self._scope:
                await self._run()
        except BaseException as error:
            self._judge(list(_leaves(error)), error)
        self.serves = False
        if not self.is_dead:
            self._go()
        world.tell(self.name, "has ended")

    def crash(self, how: str, *, power: bool = False) -> None:
        """It ends here and now; with the power, so does everything else on the machine."""
        if self.is_dead:
            return
        world = self.world
        world.meet("power cuts" if power else "crashes of the daemon")
        world.tell(self.name, f"{'the power goes' if power else 'is killed'} {how}")
        self._go(power=power)
        if power:
            world.boots += 1
            world.processes.end(lambda attempt: True)
        self._scope.cancel()

    def _go(self, *, power: bool = False) -> None:
        """The next daemon finds the disk as it is now, or as it may be when the power is back."""
        self.is_dead, self.world.life = True, None
        found = self.disk.crash(self.world.dice) if power else self.disk.killed()
        self.world.disk = found.belongs_to(self.world)
        self.disk.is_gone = True

    async def _run(self) -> None:
        world, replay = self.world, Replay()
        codec = Codec("the simulated source", replay.restore)
        journal = await Journal.open(
            STATE,
            self.disk,
            world.clock.now_us,
            LIMITS,
            replay.take,
            codec=codec,
            timer=trio.current_time,
            wait_for_room=self._wait_for_room,
        )
        state = replay.state
        if journal.repaired_tail is not None:
            world.meet("torn tails cut")
        if journal.snapshot_seq:
            world.meet("starts from a snapshot")
        world.witness.starts_with(self.disk, state)
        engine = self.engine = Engine(self._parts(journal), state)
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run, nursery.cancel_scope)
            world.tell(self.name, f"serves, from record {state.seq} on")
            self.serves = self.has_served = True
        world.meet(f"stops in good order: {engine.stopping}")
        if engine.stopping == "end":
            world.promises.all_ended(world.processes.alive())

    async def _wait_for_room(self) -> None:
        self.world.meet("starts that waited for room")
        self.world.tell(self.name, "waits for room")
        await trio.sleep(10)

    def _parts(self, journal: Journal) -> Parts:
        world, files = self.world, FilesInHand(self.world, self)
        notifier = SimNotifier(Hands(world, self))
        return Parts(
            state_dir=STATE,
            socket_path=STATE / "run" / "golemd.sock",
            settings=SETTINGS,
            settings_now=lambda: (SETTINGS, notifier),
            clock=world.clock,
            journal=journal,
            runner=SimRunner(world, self),
            workspaces=SimWorkspaces(world, self),
            files=files,
            machine=SimMachine(world),
            in_thread=files.in_thread,
            instance="0" * 32,
            boot_id=world.boot_id,
            pid=self.pid,
            environ={"PATH": "/bin"},
            notifier=notifier,
        )

    def _judge(self, leaves: list[BaseException], error: BaseException) -> None:
        """A daemon may end by a crash, and by a broken disk; by nothing else."""
        for leaf in leaves:
            dead = isinstance(leaf, trio.Cancelled) or (self.is_dead and isinstance(leaf, PowerCut))
            broken = isinstance(leaf, JournalFailed) and (self.is_dead or self.disk.fails_in is not None)
            if not (dead or broken):
                told = "".join(traceback.format_exception(error))
                self.world.broken(f"{self.name} has ended by an error of its own: {leaf!r}\n{told}")
            elif isinstance(leaf, Fault):
                self.world.meet(f"ends by {leaf.code}")
                self.world.tell(self.name, f"ends: {leaf.message}")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


async def keep_alive(world: World) -> None:
    """What a service manager does: a daemon that has ended is started again, after a while."""
    number = 0
    while True:
        number += 1
        life = Life(world, number)
        await life.live()
        await trio.sleep(world.dice.uniform(0.1, 20.0) if life.has_served else world.dice.uniform(10.0, 60.0))
