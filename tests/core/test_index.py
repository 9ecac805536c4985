"""The index: what is looked up is what is there, whatever happens to items; `test_machine` checks it in any life."""

from __future__ import annotations

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.config import Guardrails
from golemd.api.model import Assessments
from golemd.core import present
from golemd.core.scheduler import could_promote, select_actions, under_way
from golemd.core.slots import Limits
from tests.core import full_scan
from tests.core.world import MANY, End, World, config

CLOCK = present.Clock(0, MANY)
DAEMON = views.DaemonView(version="1", pid=1, uptime_s=0.0, seq=0, durable_seq=0, state_dir="/", instance="i")


def same(world: World, limits: Limits = MANY) -> None:
    """The index and what is chosen by it are what a full scan finds."""
    state = world.state
    assert full_scan.kept_index(state) == full_scan.index_of(state)
    assert select_actions(state, limits, world.now_us) == full_scan.select_actions(state, limits, world.now_us)


def test_ready_items_stand_in_the_order_of_their_promotion() -> None:
    world = World()
    world.project(config())
    low, high, newest = world.add(), world.add(priority=2), world.add(priority=2)
    assert [item.id for item in could_promote(world.state, "demo")] == [high, newest, low]
    world.ask(calls.ItemEdit(id=newest, impact="high"))
    world.ask(calls.ItemEdit(id=low, priority=-1))
    assert [item.id for item in could_promote(world.state, "demo")] == [newest, high, low]
    world.ask(calls.Pause(id=high))
    assert [item.id for item in could_promote(world.state, "demo")] == [newest, low]
    same(world)


def test_an_item_stands_among_the_ready_ones_when_its_dependencies_are_done_and_not_before() -> None:
    world = World()
    world.project(config())
    first = world.add()
    second = world.add(dependencies=(first,))
    assert [item.id for item in could_promote(world.state, "demo")] == [first]
    world.go()
    assert world.status(second) == "done"
    world.reopen(first)
    third = world.add(dependencies=(first,))
    assert [item.id for item in could_promote(world.state, "demo")] == [first]
    same(world)
    world.ask(calls.ItemEdit(id=third, dependencies=()))
    assert [item.id for item in could_promote(world.state, "demo")] == [first, third]
    same(world)


def test_one_above_the_guardrails_is_passed_over_where_the_others_are_promoted() -> None:
    world = World()
    world.project(config(guardrails=Guardrails("small"), max_wip=1))
    world.held = {"build"}
    large, small = world.add(priority=1), world.add()
    world.happen(ev.ItemEdited(assessments=Assessments(size="large")), large)
    world.start()
    same(world, Limits(max_agents=1, max_concurrent_runs=1))
    world.settle()
    assert (world.status(large), world.status(small)) == ("blocked", "in_progress")


def test_a_process_that_outlives_its_item_is_under_way() -> None:
    world = World()
    world.project(config())
    world.held = {"build"}
    item = world.add()
    world.go()
    world.ask(calls.ItemCancel(id=item))
    assert under_way(world.state, "demo", world.now_us)
    same(world)
    world.end(world.running()[0].id, End(result=None, status=None, signal=15, reason="stopped"))
    world.settle()
    assert not under_way(world.state, "demo", world.now_us)
    same(world)


def test_an_attempt_that_is_only_planned_uses_no_account() -> None:
    world = World()
    project = world.project(config())
    world.add()
    world.start()
    while not world.state.index.attempts:
        for command in world.plan().commands:
            world.apply(command)
        for effect in world.plan().effects:
            world.carry_out(effect)
    view = present.status_view(world.state, [world.state.projects[project]], False, CLOCK, DAEMON, {})
    assert (view.providers, view.attempts) == ((), ())
