"""When the faults have stopped: all that can go on does, what does not has a true reason, and each gate a way out."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final, cast

import trio

from golemd.api import calls
from golemd.api.model import ENDED, Gate, GateKind, Status
from golemd.core import plan as planning
from golemd.core.scheduler import why
from golemd.engine.effects.places import workspace_of
from golemd.engine.engine import Engine
from tests.core import full_scan
from tests.core import world as in_memory
from tests.core.true_reasons import is_true
from tests.faults.simulation.people import PROJECTS, People
from tests.faults.simulation.world import PLENTY, Weather, World

ROUNDS: Final = 80
HOUR: Final = 3600.0


async def come_to_rest(world: World, people: People) -> None:
    """Let the faults stop, see that what can go on does, and then that every item comes to an end."""
    world.tell("fate", "rests")
    world.weather = Weather(slowness=world.weather.slowness)
    world.disk.room = world.disk.fails_in = None
    world.memory = PLENTY
    people.write_configs(good=True)
    await _quiet(world)
    _look(world)
    if world.chance(0.3):  # long enough for worktrees that nobody needs to be set aside
        await trio.sleep(26 * HOUR)
        await _quiet(world)
        _look(world)
    for number in range(ROUNDS):
        if not world.witness.state.items:
            break
        await _help(world, people, number)
        await trio.sleep(HOUR / 4)
        await _quiet(world)
        _look(world)
    left = [(item.id, str(item.status), _why(world, item.id)) for item in world.witness.state.items.values()]
    world.promises.expect(not left, f"after {ROUNDS} rounds of help there are still {left}")
    await people.ask(calls.Shutdown())


async def _quiet(world: World) -> None:
    """Until nothing happens by itself for an hour but that time passes; a day is enough for everything."""
    for _ in range(48):
        before = world.witness.state.seq
        await trio.sleep(HOUR / 2)
        if world.witness.state.seq == before and not world.processes.alive() and world.life is not None:
            return
    world.promises.expect(False, "it never comes to rest")


def _engine(world: World) -> Engine:
    assert world.life is not None
    assert world.life.engine is not None
    return world.life.engine


def _look(world: World) -> None:
    """Nothing that could be done is not done, and for all that is not there is a true reason."""
    engine = _engine(world)
    state, now_us, limits = engine.state, engine.now_us(), engine.limits
    expect = world.promises.expect
    expect(state.seq == world.witness.state.seq, "not all is durable, and nothing happens")
    steps = planning.plan(state, engine._world(now_us), limits)
    expect(not steps.commands, f"nothing happens, and plan proposes {steps.commands}")
    expect(not steps.effects, f"nothing happens, and plan proposes {steps.effects}")
    chosen = full_scan.select_actions(state, limits, now_us)
    expect(not chosen, f"nothing happens, and {chosen} could")
    needed = {run.workspace or str(workspace_of(engine, run).path) for run in state.runs.values()}
    litter = [path for path in world.repositories.worktrees if path not in {*PROJECTS, *needed}]
    expect(not litter, f"nobody needs {litter} any more")
    seen = SimpleNamespace(
        state=state, limits=limits, now_us=now_us, run=lambda item: state.runs[state.items[item].run]
    )
    for item in state.items.values():
        if item.status not in ENDED:
            sentence = why(state, item, limits, now_us)
            expect(sentence is not None, f"{item.id} is {item.status}, does not run, and nothing says why")
            expect(is_true(cast(in_memory.World, seen), item), f"this is not true: {sentence}")


def _why(world: World, item: str) -> str | None:
    engine = _engine(world)
    found = engine.state.items.get(item)
    return None if found is None else why(engine.state, found, engine.limits, engine.now_us())


async def _help(world: World, people: People, number: int) -> None:
    """Do what only a person can: decide, resume, free from what never comes, and start again."""
    for call in list(_helping(world, number)):
        await people.ask(call)


def _helping(world: World, number: int) -> Iterator[calls.Call[Any]]:
    state = world.witness.state
    for gate in state.all_open_gates():
        yield calls.GateDecide(gate=gate.id, option=_way_out(gate, number), text=_text(gate))
    for item in state.items.values():
        if item.paused:
            yield calls.Resume(id=item.id)
        known = state.items | state.ended
        never = any(each not in known or known[each].status == "cancelled" for each in item.dependencies)
        # One in progress that was made to wait for a ready one, which finds no place: max_wip is of such ones.
        in_the_way = item.status is Status.IN_PROGRESS and number > ROUNDS / 2 and state.unmet(item)
        if never or in_the_way:
            yield calls.ItemEdit(id=item.id, dependencies=())
    waits = {item.project for item in state.items.values()}
    for project in (state.projects[name] for name in sorted(waits)):
        if project.dispatch.targets or project.dispatch.only or project.dispatch.triage:
            yield calls.RunStop(project=project.name)
            yield calls.RunStart(project=project.name)
        elif not project.dispatch.on:
            yield calls.RunStart(project=project.name)


def _way_out(gate: Gate, number: int) -> str:
    """The way on; after some rounds, one that does not try the same again."""
    ways = [option.id for option in gate.options]
    return gate.default if gate.default in ways and number < ROUNDS / 2 else ways[0] if number % 2 else ways[-1]


def _text(gate: Gate) -> str:
    return "1000" if gate.kind is GateKind.BUDGET else "feature"
