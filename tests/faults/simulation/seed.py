"""One seed: a world with its faults, from the first start of the daemon until all has come to rest."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import trio
from msgspec import Struct
from trio.testing import MockClock

from golemd.adapters import agents
from tests.faults.simulation import behaviour, daemon, fate
from tests.faults.simulation.disk import SimDisk
from tests.faults.simulation.ending import come_to_rest
from tests.faults.simulation.files import SimFiles
from tests.faults.simulation.people import PROJECTS, People
from tests.faults.simulation.processes import Processes
from tests.faults.simulation.promises import Promises
from tests.faults.simulation.repositories import Repositories
from tests.faults.simulation.witness import Witness
from tests.faults.simulation.world import World


class Outcome(Struct):
    """What came of a seed."""

    seed: int
    violations: list[str]
    digest: str
    records: int
    met: Counter[str]
    lines: list[str]


def simulate(seed: int, defect: Callable[[World], None] = lambda world: None) -> Outcome:
    """Live one life. `defect` may change the world, or the daemon, before it begins."""
    with _deterministic(seed), _simulated_agents():
        return trio.run(_live, seed, defect, clock=MockClock(autojump_threshold=0))


async def _live(seed: int, defect: Callable[[World], None]) -> Outcome:
    async with trio.open_nursery() as nursery:
        world = World(seed, nursery)
        people = _fill(world)
        defect(world)
        nursery.start_soon(_all, world, people)
    lines = list(world.history.lines)
    return Outcome(seed, world.violations, world.history.digest, len(world.witness.records), world.met, lines)


def _fill(world: World) -> People:
    world.files, world.repositories = SimFiles(world), Repositories(world)
    world.processes, world.witness, world.promises = Processes(world), Witness(world), Promises(world)
    world.people = people = People(world)
    world.disk = SimDisk({}).belongs_to(world)
    people.write_configs(good=True)
    for root in PROJECTS:
        world.repositories.make(root)
    return people


async def _all(world: World, people: People) -> None:
    with _complaints(world):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.keep_alive, world)
            with trio.move_on_after(world.weather.seconds):
                async with trio.open_nursery() as busy:
                    busy.start_soon(fate.strike, world, people)
                    busy.start_soon(people.follow)
                    busy.start_soon(people.live, 8.0)
                    busy.start_soon(people.live, 20.0)
            await come_to_rest(world, people)
            nursery.cancel_scope.cancel()
    world.nursery.cancel_scope.cancel()


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Let trio's scheduler depend on nothing but the seed: its own switch, and its own generator."""
    run = cast(Any, trio._core._run)  # private: trio is pinned where tests are installed
    before, state = run._ALLOW_DETERMINISTIC_SCHEDULING, run._r.getstate()
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r.seed(seed)
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before
        run._r.setstate(state)


@contextmanager
def _simulated_agents() -> Iterator[None]:
    before = agents.KINDS["scripted"]
    agents.KINDS["scripted"] = behaviour.KIND
    try:
        yield
    finally:
        agents.KINDS["scripted"] = before


class _Complaints(logging.Handler):
    """What the daemon itself calls an error is one."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        life = self._world.life
        if life is not None and not life.is_dead:
            self._world.broken(f"the daemon complains: {logging.Formatter().format(record)}")


@contextmanager
def _complaints(world: World) -> Iterator[None]:
    logger, handler = logging.getLogger("golemd"), _Complaints(world)
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
