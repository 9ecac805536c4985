"""What is promoted and launched, in which order, and within which limits."""

from __future__ import annotations

from typing import Any

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.model import Assessments, Status
from golemd.core.commands import Launch, Promote
from golemd.core.scheduler import select_actions
from golemd.core.slots import Limits, Tally
from tests.core.world import End, World, config


def world_of(*priorities: int, limits: Limits | None = None, pre: tuple[str, ...] = (), **execution: Any) -> World:
    world = World(limits or Limits(100, 100))
    world.project(config(pre=pre, phases=("one", "two", "three"), **execution))
    for priority in priorities:
        world.add(priority=priority)
    world.held = {"one", "two", "three", "scope"}
    return world


def chosen(world: World) -> tuple[list[str], list[str]]:
    actions = select_actions(world.state, world.limits, world.now_us, world.foreign)
    promoted = [each.item for each in actions if isinstance(each, Promote)]
    return promoted, [each.item for each in actions if isinstance(each, Launch)]


def ids(*numbers: int) -> list[str]:
    return [f"DEMO-{number}" for number in numbers]


def put_at(world: World, item: str, index: int) -> None:
    """In progress, with a run whose first phases are over."""
    pipeline = world.state.config_of("demo").pinned("feature")
    world.happen(ev.ItemMoved(to=Status.IN_PROGRESS), item)
    digest = world.state.projects["demo"].config_digest
    world.happen(ev.RunCreated(run=f"{item}.1", number=1, pipeline=pipeline, config_digest=digest), item)
    for each in pipeline.phases[:index]:
        world.happen(ev.PhaseSkipped(run=f"{item}.1", phase=each.name), item)


# --- order -------------------------------------------------------------------------------------------------------


def test_ready_items_are_promoted_by_priority_then_impact_then_age() -> None:
    world = world_of(0, 5, 0, 0, -1)
    world.ask(calls.ItemEdit(id="DEMO-4", impact="high"))
    world.ask(calls.ItemEdit(id="DEMO-3", impact="low"))
    world.start()
    assert chosen(world)[0] == ids(2, 4, 3, 1, 5)


@pytest.mark.parametrize("impact", ["high", "medium", "low"])
def test_an_assessed_impact_goes_before_none(impact: str) -> None:
    world = world_of(0, 0)
    world.ask(calls.ItemEdit(id="DEMO-2", impact=impact))
    world.start()
    assert chosen(world)[0] == ids(2, 1)


def test_the_furthest_phase_goes_first_then_priority_then_age() -> None:
    world = world_of(0, 0, 9, 9, 10)
    for number, index in ((1, 2), (2, 1), (4, 0), (3, 0)):
        put_at(world, f"DEMO-{number}", index)
    world.happen(ev.ItemMoved(to=Status.IN_PROGRESS), "DEMO-5")
    world.start()
    assert chosen(world)[1] == ids(1, 2, 5, 3, 4)


def test_scoping_comes_after_all_work_in_progress() -> None:
    world = world_of(9, pre=("scope",))
    world.add(priority=-5)
    world.happen(ev.ItemMoved(to=Status.IN_PROGRESS), "DEMO-2")
    world.start()
    assert chosen(world)[1] == ids(2, 1)


def test_a_promoted_item_is_launched_in_the_same_breath() -> None:
    world = world_of(0)
    world.start()
    assert chosen(world) == (ids(1), ids(1))


# --- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_max_wip_bounds_what_is_in_progress(bound: int) -> None:
    world = world_of(*[0] * 5, max_wip=bound)
    world.go()
    assert Tally.of(world.state).wip["demo"] == bound


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_max_concurrent_bounds_the_slots_of_a_project(bound: int) -> None:
    world = world_of(*[0] * 5, max_concurrent=bound)
    world.go()
    assert len(world.running()) == bound
    assert Tally.of(world.state).wip["demo"] == 5, "promotion takes no slot"


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_max_agents_bounds_the_slots_of_all_projects(bound: int) -> None:
    world = world_of(0, 0, limits=Limits(bound, 100))
    world.project(config("two"))
    world.add(project="two")
    world.add(project="two")
    world.held.add("build")
    world.start(project="demo")
    world.go(project="two")
    assert len(world.running()) == bound


def test_max_concurrent_runs_bounds_promotion_over_all_projects() -> None:
    world = world_of(0, 0, limits=Limits(100, 3))
    world.project(config("two"))
    for _ in range(3):
        world.add(project="two")
    world.held.add("build")
    world.start(project="demo")
    world.go(project="two")
    assert sum(Tally.of(world.state).wip.values()) == 3


def test_blocked_items_hold_no_place() -> None:
    world = world_of(0, 0, max_wip=1)
    world.held = set()
    world.script["one"] = [End(result={"result": "blocked"})]
    world.go()
    assert [world.status(item) for item in ids(1, 2)] == ["blocked", "done"]


def test_a_process_that_is_still_ending_holds_its_slot() -> None:
    world = world_of(0, 0, max_concurrent=1)
    world.start()
    world.calm()
    world.ask(calls.ItemCancel(id="DEMO-1"))
    assert chosen(world)[1] == []
    assert Tally.of(world.state).slots == {"demo": 1}
    world.settle()
    assert [each.item for each in world.running()] == ids(2)


def test_the_cap_counts_phases_and_not_attempts() -> None:
    world = world_of(0, 0, max_concurrent=1)
    world.held = set()
    world.script["one"] = [End(result=None)] * 2
    world.go(cap=1)
    assert world.halt_reason() == "cap_reached"
    assert world.run("DEMO-1").phase.name == "two", "the retries of the started phase are not counted"
    assert world.types().count("phase.started") == 1


def test_with_a_used_cap_another_attempt_goes_past_one_that_would_start_a_phase() -> None:
    world = world_of(9, 0, max_concurrent=2)
    world.start(cap=2)
    world.calm()
    world.held = {"two"}
    world.end("DEMO-2.1.one.1", End(lost=True))
    world.end("DEMO-1.1.one.1")
    world.settle()
    assert world.types("DEMO-2").count("attempt.planned") == 2
    assert world.run("DEMO-1").phase.name == "two"
    assert world.run("DEMO-1").phase.state == "pending"


# --- who is left out ---------------------------------------------------------------------------------------------


def test_unmet_dependencies_keep_items_from_promotion_and_launch() -> None:
    world = world_of(0)
    waiting = world.add(dependencies=("DEMO-1",))
    scoped = world.add(dependencies=("DEMO-1",))
    world.happen(ev.ItemMoved(to=Status.SCOPING), scoped)
    world.start()
    assert chosen(world) == (ids(1), ids(1))
    world.held = set()
    world.settle()
    assert world.status(waiting) == world.status(scoped) == "done", "a dependency is met when that item is done"


@pytest.mark.parametrize("how", ["cancelled", "missing"])
def test_cancelled_and_missing_dependencies_are_unmet(how: str) -> None:
    world = world_of(0)
    item = world.add(dependencies=("DEMO-1",))
    world.ask(calls.ItemCancel(id="DEMO-1"))
    if how == "missing":
        world.happen(ev.ItemEdited(dependencies=("GONE-1",)), item)
    world.go()
    assert (world.status(item), world.halt_reason()) == ("ready", "all_done_or_blocked")


def test_a_back_off_keeps_an_item_out_until_its_moment() -> None:
    world = world_of(0)
    world.start()
    world.calm()
    world.end("DEMO-1.1.one.1", End(result=None))
    world.calm()
    assert chosen(world)[1] == []
    world.now_us += 5_000_000 - 1
    assert chosen(world)[1] == []
    world.now_us += 1
    assert chosen(world)[1] == ids(1)


def test_only_dispatched_projects_that_nobody_else_holds_are_worked_on() -> None:
    world = world_of(0)
    assert chosen(world) == ([], [])
    world.start()
    world.foreign = frozenset({"demo"})
    assert chosen(world) == ([], [])


# --- turns -------------------------------------------------------------------------------------------------------


def test_projects_take_turns() -> None:
    world = world_of(0, 0, limits=Limits(2, 100), max_wip=1)
    world.project(config("two"))
    world.add(project="two")
    world.add(project="two")
    world.start(project="demo")
    world.start(project="two")
    assert chosen(world)[1] == ["DEMO-1", "TWO-1"]


def test_with_one_slot_the_project_that_waited_longest_is_next() -> None:
    world = world_of(0, 0, limits=Limits(1, 100))
    world.project(config("two", phases=("one", "two", "three")))
    for _ in range(2):
        world.add(project="two")
    world.held = set()
    world.start(project="demo")
    world.start(project="two")
    world.settle()
    order = [record.project for record in world.records if record.type == "phase.started"]
    assert order == ["demo", "two"] * 6


def test_impact_of_an_item_without_words_counts_as_none() -> None:
    world = world_of(0, 0)
    world.happen(ev.ItemEdited(assessments=Assessments(impact="enormous")), "DEMO-2")
    world.start()
    assert chosen(world)[0] == ids(1, 2)
