"""Faults, each at any time: what the weather of this life brings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from golemd.api import calls
from tests.faults.simulation.people import People
from tests.faults.simulation.world import PLENTY, World


async def strike(world: World, people: People) -> None:
    """All that may go wrong by itself, until cancelled."""

    async def crash() -> None:
        if world.life is not None:
            world.life.crash("at any time")

    async def cut() -> None:
        if world.life is not None:
            world.life.crash("at any time", power=True)

    async def stop() -> None:
        await people.ask(calls.Shutdown(keep_agents=world.chance(0.5)))
        if world.chance(0.3):
            await people.ask(calls.Shutdown())

    async def kill() -> None:
        shims = world.processes.shims()
        if shims:
            shim = world.pick(shims)
            world.meet("shims killed")
            world.tell("fate", f"kills the shim of {shim.spec.attempt}")
            shim.kill()

    async def jump() -> None:
        seconds = world.pick((-7200, -60, -1, 1, 60, 7200, 90_000))
        world.meet("clock jumps")
        world.tell("fate", f"sets the clock by {seconds} s")
        world.clock.jump(seconds * 1_000_000)

    async def fill() -> None:
        world.meet("full disks")
        world.tell("fate", "fills the disk")
        world.disk.fill(world.dice.randrange(3000))
        await trio.sleep(world.dice.uniform(1, 300))
        world.tell("fate", "makes room")
        world.disk.room = None

    async def squeeze() -> None:
        world.meet("times of little memory")
        world.tell("fate", "takes the memory")
        world.memory = 0
        await trio.sleep(world.dice.uniform(1, 300))
        world.memory = PLENTY

    async def wreck() -> None:
        world.repositories.wreck()

    async def spoil() -> None:
        world.disk.fails_in = world.dice.randrange(6)

    weather = world.weather
    async with trio.open_nursery() as nursery:
        for mean, strikes in (
            (weather.crashes, crash),
            (weather.cuts, cut),
            (weather.stops, stop),
            (weather.kills, kill),
            (weather.jumps, jump),
            (weather.fills, fill),
            (weather.errors, spoil),
            (weather.squeezes, squeeze),
            (weather.vandals, wreck),
        ):
            if mean:
                nursery.start_soon(_every, world, mean, strikes)


async def _every(world: World, mean_seconds: float, strikes: Callable[[], Awaitable[None]]) -> None:
    while True:
        await trio.sleep(world.dice.expovariate(1 / mean_seconds))
        await strikes()
