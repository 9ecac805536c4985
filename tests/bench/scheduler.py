"""The decision what is worked on next, in memory."""

from __future__ import annotations

import time
from statistics import median

from golemd.api import events as ev
from golemd.api.model import Status
from golemd.core import scheduler
from golemd.core.slots import Limits
from tests.bench.contest import Contest, Row
from tests.bench.place import Place
from tests.core.world import World, config

CHANGES = 20  # in a turn; their median counts


def select(place: Place) -> Contest:
    """`select_actions` of a dispatched project with a hundred thousand items, after one of them has changed.

    golemd: the fold of the change (an item's priority) and the decision that follows, in this process, without a
    disk. A third of the items is ready, and as many are in progress as the limits allow, so nothing is to be started:
    the usual answer. No peer: the full scan of every item is the oracle that the property tests hold it against.
    """
    world = _busy(place.size.many_items)
    work = f"select_actions, {place.size.many_items:,} items, one change"
    row = Row(work, "µs", "us", 1000.0, 2.0, less=True)
    return Contest([lambda: {"us": _after_changes(world)}], [row])


def _busy(items: int) -> World:
    world = World(Limits(max_agents=4, max_concurrent_runs=4))
    world.project(config(max_wip=4, max_concurrent=4))
    for number in range(items):
        waits = () if number % 3 == 0 else ("DEMO-0",)  # for an item that does not exist
        added = ev.ItemAdded(
            title="x",
            number=number + 1,
            status=Status.READY,
            pipeline="feature",
            priority=number % 7,
            dependencies=waits,
        )
        world.happen(added, f"DEMO-{number + 1}")
    world.start(continuous=True)
    world.held.add("build")
    world.calm()
    return world


def _after_changes(world: World) -> float:
    took = []
    changed = f"DEMO-{len(world.state.items) // 2}"
    for number in range(CHANGES):
        begun = time.perf_counter()
        world.happen(ev.ItemEdited(priority=number % 7), changed)
        scheduler.select_actions(world.state, world.limits, world.now_us)
        took.append((time.perf_counter() - begun) * 1e6)
    return median(took)
