"""Why an item is not running: one true sentence for each reason, and silence while it runs."""

from __future__ import annotations

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.model import Status
from golemd.core.evolve.items import REASON_KEPT
from golemd.core.present import Clock, item_view, why_view
from golemd.core.scheduler import why
from golemd.core.slots import Limits
from golemd.core.snapshot import picture as taken
from golemd.core.snapshot import pieces, restored
from tests.core.world import End, World, config, phase


def world_of(count: int = 1, **execution: int) -> World:
    world = World()
    world.project(config(phases=("one", "two"), max_wip=execution.get("max_wip", 9), max_concurrent=9))
    for _ in range(count):
        world.add()
    world.held = {"one", "two"}
    return world


def words(world: World, item: str = "DEMO-1", limits: Limits | None = None) -> str | None:
    return why(world.state, world.item(item), limits or world.limits, world.now_us)


def test_nothing_dispatched() -> None:
    world = world_of()
    sentence = "DEMO-1 is ready but does not run: nothing is dispatched in demo; golemctl run starts it."
    assert words(world) == sentence
    world.go(cap=1)
    world.ask(calls.RunStop(now=True))
    world.settle()
    assert "(it ended: stopped)" in str(words(world))


def test_running_and_ended_items_need_no_reason() -> None:
    world = world_of()
    world.go()
    assert words(world) is None
    world.ask(calls.ItemCancel(id="DEMO-1"))
    assert words(world) is None


def test_an_open_gate() -> None:
    world = World()
    world.project(config(phases=(phase("one", gate=("approval",)),)))
    world.add()
    world.script["one"] = [End(result={"summary": "first line\nsecond"})]
    world.go()
    assert words(world) == "DEMO-1 waits for you: Approve one? Its agent says: first line"


def test_a_dependency_that_finds_no_place_among_the_items_in_progress() -> None:
    world = world_of(2, max_wip=1)
    world.start()
    world.happen(ev.ItemMoved(to=Status.IN_PROGRESS), "DEMO-1")
    world.happen(ev.ItemEdited(dependencies=("DEMO-2",)), "DEMO-1")
    told = "DEMO-2 (ready, but 1 of 1 items are in progress, which is max_wip: it begins when one of them has ended"
    assert told in str(words(world)), words(world)


def test_dependencies() -> None:
    world = world_of(2)
    world.ask(calls.ItemCancel(id="DEMO-2"))
    world.happen(ev.ItemEdited(dependencies=("DEMO-2", "GONE-1", "DEMO-3")), "DEMO-1")
    world.add()
    sentence = str(words(world))
    for part in ("DEMO-2 (which is cancelled", "GONE-1 (which does not exist)", "DEMO-3 (ready)"):
        assert part in sentence


def test_a_back_off_still_running() -> None:
    world = world_of()
    world.start()
    world.calm()
    world.end("DEMO-1.1.one.1", End(result=None))
    world.calm()
    assert "tried again in 00:05" in str(words(world))
    world.now_us += 4_500_000
    assert "tried again in 00:01" in str(words(world))
    world.now_us += 500_000
    assert "it is next in line" in str(words(world))


def test_a_used_cap_holds_back_new_phases_only() -> None:
    world = world_of(2)
    world.start(cap=1)
    world.step()
    assert "cap of 1 phase." in str(words(world, "DEMO-2"))
    world.calm()
    world.end("DEMO-1.1.one.1", End(lost=True))
    assert "next in line" in str(words(world, "DEMO-1"))


@pytest.mark.parametrize(
    ("limits", "part"),
    [
        (Limits(9, 9), "1 of 1 items are in progress (max_wip)"),
        (Limits(9, 1), "1 of 1 items are in progress (max_wip)"),
    ],
)
def test_max_wip(limits: Limits, part: str) -> None:
    world = world_of(2, max_wip=1)
    world.limits = limits
    world.go()
    assert part in str(words(world, "DEMO-2"))


def test_the_limits_of_the_whole_daemon() -> None:
    world = world_of(2)
    world.limits = Limits(1, 1)
    world.go()
    assert "1 runs are in progress in all projects (max_concurrent_runs)" in str(words(world, "DEMO-2"))
    assert "1 agents run in all projects (max_agents)" in str(words(world, "DEMO-2", Limits(1, 9)))


def test_max_concurrent() -> None:
    world = World()
    world.project(config(max_concurrent=1))
    world.add()
    world.add()
    world.held = {"build"}
    world.go()
    assert "1 of 1 slots are taken (max_concurrent)" in str(words(world, "DEMO-2"))


@pytest.mark.parametrize("moment", ["entering", "planned", "committing"])
def test_after_stop_now_a_step_that_is_not_taken_has_a_reason(moment: str) -> None:
    world = world_of()
    world.start()
    world.step()
    if moment != "entering":
        world.carry_out(world.plan().effects[0])
    if moment == "committing":
        world.calm()
        world.end("DEMO-1.1.one.1")
        world.carry_out(world.plan().effects[0])
    assert words(world) is None
    world.ask(calls.RunStop(now=True))
    assert "nothing is dispatched" in str(words(world))


def test_after_stop_now_a_process_that_is_still_ending_runs() -> None:
    world = world_of()
    world.go()
    world.ask(calls.RunStop(now=True))
    assert words(world) is None


def test_the_answer_of_why_names_what_is_under_way_instead() -> None:
    world = world_of(2, max_wip=1)
    world.go()
    clock = Clock(world.now_us, world.limits)
    running = why_view(world.state, world.item("DEMO-1"), clock)
    assert (running.why, running.next) == ("DEMO-1 is running: phase one.", None)
    waiting = why_view(world.state, world.item("DEMO-2"), clock)
    assert "max_wip" in waiting.why
    assert waiting.next == "Under way: DEMO-1 (one)."


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "DEMO-1 is cancelled."),
        ("not needed", "DEMO-1 is cancelled: not needed."),
        ("See WRK-3.\n", "DEMO-1 is cancelled: See WRK-3."),
        ("x" * 1000, f"DEMO-1 is cancelled: {'x' * REASON_KEPT}."),
    ],
)
def test_why_and_views_say_why_an_item_was_cancelled_before_and_after_it_is_put_away(reason: str, told: str) -> None:
    world = world_of()
    world.go()
    clock = Clock(world.now_us, world.limits)
    world.ask(calls.ItemCancel(id="DEMO-1", reason=reason))
    assert why_view(world.state, world.item("DEMO-1"), clock).why == told
    world.settle()
    for state in (world.state, world.replay(), restored(b"".join(pieces(taken(world.state))))):
        ended = state.ended["DEMO-1"]
        assert why_view(state, ended, clock).why == told
        assert item_view(state, ended, clock).reason == (reason[:REASON_KEPT] or None)
    world.reopen("DEMO-1")
    assert world.item("DEMO-1").reason == ""


def test_why_says_how_an_item_ended_where_its_status_does_not() -> None:
    world = World()
    world.project(config(phases=(phase("one", gate=("approval",)),)))
    rejected, done = world.add(), world.add()
    world.go()
    world.decide(rejected, "reject", "bad")
    world.decide(done, "approve", content=world.content(done))
    world.settle()
    clock, ended = Clock(world.now_us, world.limits), world.state.ended
    told = [why_view(world.state, ended[each], clock).why for each in (rejected, done)]
    assert told == [f"{rejected} is cancelled (rejected).", f"{done} is done."]


def test_a_new_item_is_told_the_truth_too() -> None:
    world = world_of()
    world.happen(ev.ItemMoved(to=Status.NEW), "DEMO-1")
    assert "is new but does not run" in str(words(world))
