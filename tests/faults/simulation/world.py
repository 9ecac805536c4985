"""What there is in one simulated life, and the dice that decide all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

import trio
from msgspec import Struct

from golemd.api.faults import Unavailable
from tests.adapters.journal.crashdisk import PowerCut
from tests.faults.simulation.clock import SimClock
from tests.faults.simulation.history import History

if TYPE_CHECKING:
    from tests.faults.simulation.daemon import Life
    from tests.faults.simulation.disk import SimDisk
    from tests.faults.simulation.files import SimFiles
    from tests.faults.simulation.people import People
    from tests.faults.simulation.processes import Processes
    from tests.faults.simulation.promises import Promises
    from tests.faults.simulation.repositories import Repositories
    from tests.faults.simulation.witness import Witness

T = TypeVar("T")


PLENTY: Final = 1 << 40  # bytes of memory


class Weather(Struct):
    """How much there is to do, and which faults there are in this life. Means are in seconds of its time, 0: never; the
    others are chances.

    Each life has some kinds of fault only, so that none of them keeps all others from ever mattering.
    """

    seconds: float = 0.0  # until it rests
    items: int = 0  # at once, that people add
    crashes: float = 0.0  # of the daemon, at any time
    cuts: float = 0.0  # of the power
    stops: float = 0.0  # of the daemon, in good order
    kills: float = 0.0  # of shims
    jumps: float = 0.0  # of the wall clock
    fills: float = 0.0  # of the disk
    errors: float = 0.0  # of the disk
    squeezes: float = 0.0  # of memory
    vandals: float = 0.0  # who remove a worktree
    moments: float = 0.0  # a crash at one particular operation on the world
    troubles: float = 0.0  # an operation on a repository, or a start of a process, fails
    mischief: float = 0.0  # an agent does not simply do its work
    slowness: float = 0.001  # seconds that a flush takes, on average

    @classmethod
    def of(cls, dice: Random) -> Weather:
        """The weather of one life."""

        def some(least: float, most: float) -> float:
            return dice.uniform(least, most) if dice.random() < 0.5 else 0.0

        return cls(
            seconds=dice.uniform(60, 700),
            items=dice.choice((2, 3, 4, 6)),
            crashes=some(50, 600),
            cuts=some(100, 1000),
            stops=some(100, 1000),
            kills=some(50, 600),
            jumps=some(100, 1000),
            fills=some(100, 1000),
            errors=some(200, 2000),
            squeezes=some(100, 1000),
            vandals=some(100, 1000),
            moments=some(0.0003, 0.004),
            troubles=some(0.005, 0.1),
            mischief=dice.choice((0.1, 0.3, 0.6)),
            slowness=dice.choice((0.0, 0.001, 0.01, 0.5)),
        )


class World:
    """The machine and all that is on it. Parts that are filled in by `seed` know it too."""

    disk: SimDisk
    files: SimFiles
    people: People
    processes: Processes
    repositories: Repositories
    witness: Witness
    promises: Promises

    def __init__(self, seed: int, nursery: trio.Nursery) -> None:
        self.dice = Random(seed)
        self.nursery = nursery
        self.history = History(trio.current_time)
        self.clock = SimClock()
        self.weather = Weather.of(self.dice)
        self.boots = 1
        self.memory = PLENTY
        self.life: Life | None = None  # the daemon that runs, once it serves
        self.met: Counter[str] = Counter()
        self.violations: list[str] = []
        self.numbers = 0

    @property
    def boot_id(self) -> str:
        """Of the machine, since the power came back."""
        return f"boot-{self.boots}"

    def number(self) -> int:
        """One that was never given before: for pids, commits, trees."""
        self.numbers += 1
        return self.numbers

    def chance(self, probability: float) -> bool:
        """Whether something with this probability happens now."""
        return probability > 0 and self.dice.random() < probability

    def pick(self, among: Sequence[T]) -> T:
        """One of some."""
        return among[self.dice.randrange(len(among))]

    def tell(self, who: str, what: str) -> None:
        """Into the history."""
        self.history.tell(who, what)

    def meet(self, what: str) -> None:
        """Something rare happened."""
        self.met[what] += 1

    def broken(self, what: str) -> None:
        """A promise was broken; there is nothing more to be learnt from this life."""
        self.tell("BROKEN", what)
        self.violations.append(what)
        self.nursery.cancel_scope.cancel()


class Hands:
    """What a daemon does to the world, as long as it lives. Each operation is a moment at which it may end."""

    def __init__(self, world: World, life: Life) -> None:
        self.world = world
        self.life = life

    def touch(self) -> None:
        """Nothing that a dead daemon does has any effect. Raises PowerCut."""
        if self.life.is_dead:
            raise PowerCut

    async def moment(self, doing: str, most_seconds: float = 0.0) -> None:
        """Others have their turn, time passes, and the daemon may end just here. Raises PowerCut."""
        self.touch()
        if most_seconds:
            await trio.sleep(self.world.dice.uniform(0, most_seconds))
        else:
            await trio.lowlevel.checkpoint()
        self.touch()
        if self.world.chance(self.world.weather.moments):
            self.world.meet("crashes at one operation")
            self.life.crash(f"at {doing}")
            raise PowerCut

    def trouble(self, code: str) -> None:
        """It may fail, for no reason of its own. Raises Unavailable."""
        if self.world.chance(self.world.weather.troubles):
            self.world.meet(f"trouble: {code}")
            self.world.tell("trouble", code)
            raise Unavailable(code, f"{code} by chance", "Try again.")
