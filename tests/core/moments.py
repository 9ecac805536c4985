"""Every moment in the life of an item, for tests of what a person may do at any of them.

The item goes through `build`, which has a verify command and an approval, and `ship`; a test may put more before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from golemd.api import events as ev
from golemd.api.model import AttemptState, GateKind, PhaseState, Stage, Status
from golemd.core.commands import Said
from tests.core.world import FAILS, End, World, config, phase

ITEM: Final = "DEMO-1"
ASKS: Final = End(result={"result": "blocked", "question": "Which?"})
LIMITED: Final = End(result=None, said=Said(trouble="limit", message="Used up."))
WAITS: Final = ("approval", "question", "failure")
WITHOUT_A_RUN: Final = ("scoping", "ready", "in progress")

Reached = Callable[[World], bool]


def world_of(count: int = 1, before: tuple[str, ...] = (), **execution: Any) -> World:
    world = World()
    build = phase("build", verify=("make",), gate=("approval",))
    world.project(config(phases=(*before, build, "ship"), pre=execution.pop("pre", ()), **execution))
    for _ in range(count):
        world.add()
    return world


def step_until(world: World, reached: Reached) -> None:
    """Let things happen one by one until it is so."""
    for _ in range(300):
        if reached(world):
            return
        plan = world.plan()
        if plan.commands:
            world.apply(plan.commands[0])
        elif plan.effects:
            world.carry_out(plan.effects[0])
        else:
            world.end(world.running()[0].id)
    raise AssertionError("it is never so")


def at(moment: str, *before: str) -> World:
    """A world whose item has come to this moment of `build`, or has no run yet, or comes to `ship` next."""
    if moment in WITHOUT_A_RUN:
        world = world_of(before=before, pre=("scope",))
        world.happen(ev.ItemMoved(to=Status(moment.replace(" ", "_"))), ITEM)
        world.start()
        return world
    if moment == "between phases":
        world = at("approval", *before)
        world.decide(ITEM, "approve", content=world.content(ITEM))
        return world
    reached, ends = MOMENTS[moment]
    world = world_of(before=before)
    world.script = {key: list(each) for key, each in ends.items()}
    world.start()
    step_until(world, lambda world: _builds(world) and reached(world))
    return world


def _builds(world: World) -> bool:
    return f"{ITEM}.1" in world.state.runs and world.run(ITEM).phase.name == "build"


def _stage(stage: Stage, state: PhaseState) -> Reached:
    def reached(world: World) -> bool:
        found = world.run(ITEM).phase
        return (found.stage, found.state, found.live) == (stage, state, "")

    return reached


def _live(kind: str, state: AttemptState) -> Reached:
    def reached(world: World) -> bool:
        live = world.state.attempts.get(world.run(ITEM).phase.live)
        return live is not None and (live.kind, live.state) == (kind, state)

    return reached


def _gate(kind: GateKind) -> Reached:
    return lambda world: any(gate.kind is kind for gate in world.state.open_gates(ITEM))


def finish(world: World) -> None:
    """Decide what is asked, wait for what is parked, and see the item done."""
    for _ in range(20):
        world.settle()
        if world.status(ITEM) == "done":
            return
        gate = world.gate(ITEM)
        content = {"content": world.content(ITEM)} if gate.kind is GateKind.APPROVAL else {}
        world.decide(gate.id, gate.default, "blue", **content)
    raise AssertionError("it is never done")


_TRANSIENT: Final = End(result=None, said=Said(trouble="transient"))
_ELSEWHERE: Final = End(result={"item_id": "OTHER-1"})
MOMENTS: Final[dict[str, tuple[Reached, dict[str, tuple[End, ...]]]]] = {
    "entering": (_stage(Stage.ENTER, PhaseState.RUNNING), {}),
    "planned": (_live("agent", AttemptState.PLANNED), {}),
    "running": (_live("agent", AttemptState.SPAWNED), {}),
    "exited": (_live("agent", AttemptState.EXITED), {}),
    "accepted": (_stage(Stage.VERIFY, PhaseState.VERIFYING), {}),
    "verify planned": (_live("verify", AttemptState.PLANNED), {}),
    "verify running": (_live("verify", AttemptState.SPAWNED), {}),
    "verify exited": (_live("verify", AttemptState.EXITED), {}),
    "verified": (_stage(Stage.COMMIT, PhaseState.VERIFYING), {}),
    "failed": (lambda world: bool(world.run(ITEM).phase.put_back), {"build": (FAILS,)}),
    "backing off": (lambda world: world.run(ITEM).phase.again_us > world.now_us, {"build": (_TRANSIENT,)}),
    "parked": (lambda world: bool(world.state.providers), {"build": (LIMITED,)}),
    "to be mended": (lambda world: world.run(ITEM).phase.fixes == 1, {"make": (End(status=1),)}),
    "approval": (_gate(GateKind.APPROVAL), {}),
    "question": (_gate(GateKind.QUESTION), {"build": (ASKS,)}),
    "failure": (_gate(GateKind.FAILURE), {"build": (_ELSEWHERE,)}),
}
ALL: Final = (*WITHOUT_A_RUN, *MOMENTS, "between phases")
