"""Dispatches: what each lets start, why each is halted, the breaker, and who may work in a shared workspace."""

from __future__ import annotations

from typing import Any, Final

import pytest

from golemd.api import calls
from golemd.api.config import Phase, Triage
from golemd.api.faults import Fault
from golemd.core.scheduler import why
from tests.core.world import FAILS, MANY, End, World, config, phase, picture

MISMATCH: Final = End(result={"item_id": "OTHER-1"})
ASKS: Final = End(result={"result": "blocked", "question": "?"})


def world_of(count: int, **fields: Any) -> tuple[World, list[str]]:
    world = World()
    world.project(config(**fields))
    return world, [world.add(f"Item {n}", labels=("docs",) if n == 1 else ()) for n in range(count)]


def dispatch(world: World, **fields: Any) -> str:
    """Dispatch, let everything happen, and say why it was halted."""
    world.ask(calls.RunStart(**fields))
    world.settle()
    assert picture(world.replay()) == picture(world.state)
    return world.halt_reason()


def reason(world: World, item: str) -> str:
    return why(world.state, world.item(item), MANY, world.now_us) or ""


# --- targets -----------------------------------------------------------------------------------------------------


def test_targets_are_worked_on_in_their_order_and_nothing_else_is() -> None:
    world, (first, second, third) = world_of(3)
    assert dispatch(world, targets=(third, first)) == "target_done"
    begun = [record.item for record in world.records if record.type == "phase.started"]
    assert begun == [third, first]
    assert world.status(second) == "ready"


def test_why_names_the_target_that_is_worked_on() -> None:
    world, (first, second) = world_of(2)
    world.held = {"build"}
    dispatch(world, targets=(second,))
    assert f"works on {second} now" in reason(world, first)
    world.held = set()
    world.settle()
    assert "it ended: target done" in reason(world, first)


def test_a_target_that_waits_for_a_human_halts_it_and_deciding_goes_on() -> None:
    world, (first, second) = world_of(2)
    world.script["build"] = [ASKS]
    assert dispatch(world, targets=(first, second)) == "target_blocked"
    assert world.status(second) == "ready"
    world.ask(calls.ItemUnblock(id=first, answer="yes"))
    world.settle()
    assert world.halt_reason() == "target_done"
    assert (world.status(first), world.status(second)) == ("done", "done")


def test_auto_advance_passes_over_what_waits_for_a_human() -> None:
    world, (first, second) = world_of(2)
    world.script["build"] = [ASKS]
    assert dispatch(world, targets=(first, second), auto_advance=True) == "target_blocked"
    assert world.status(second) == "done"


def test_then_rest_goes_on_with_everything_else() -> None:
    world, (first, second, third) = world_of(3)
    assert dispatch(world, targets=(third,), then_rest=True) == "all_done_or_blocked"
    begun = [record.item for record in world.records if record.type == "phase.started"]
    assert begun == [third, first, second]


def test_targets_that_have_ended_are_passed_over() -> None:
    world, (first, second) = world_of(2)
    world.ask(calls.ItemCancel(id=first))
    assert dispatch(world, targets=(first, second)) == "target_done"
    assert world.status(second) == "done"
    assert dispatch(world, targets=(first,)) == "target_done"


def test_a_target_that_depends_on_something_else_waits_for_it() -> None:
    world, (first, _) = world_of(2)
    item = world.add(dependencies=(first,))
    assert dispatch(world, targets=(item,)) == "target_blocked"
    assert f"waits for {first}" in reason(world, item)
    assert dispatch(world, targets=(item,), then_rest=True, auto_advance=True) == "all_done_or_blocked"
    assert world.status(item) == "done"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"targets": ("DEMO-9",)}, "item_not_found"),
        ({"targets": ("TWO-1",)}, "other_project"),
        ({"targets": ("DEMO-1",), "only": ("size=small",)}, "targets_and_filter"),
        ({"auto_advance": True}, "no_targets"),
        ({"then_rest": True}, "no_targets"),
        ({"only": ("size=tiny",)}, "invalid_filter"),
        ({"targets": ("DEMO-1",) * 1001}, "too_many_targets"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], code: str) -> None:
    world, _ = world_of(1)
    world.project(config("two"))
    world.add(project="two")
    with pytest.raises(Fault) as refused:
        world.ask(calls.RunStart(project="demo", **fields))
    assert refused.value.code == code


# --- filters -----------------------------------------------------------------------------------------------------


def test_a_filter_narrows_what_starts_while_limits_count_everything() -> None:
    world, (first, second) = world_of(2, max_wip=1)
    assert dispatch(world, only=("label=docs",)) == "filter_exhausted"
    assert (world.status(first), world.status(second)) == ("ready", "done")
    assert dispatch(world, only=("label=none",)) == "no_matching_items"
    world.held = {"build"}
    world.ask(calls.RunStart(only=("label=docs",), continuous=True))
    world.settle()
    assert "works only on label=docs" in reason(world, first)


def test_a_dependency_outside_of_the_filter_is_still_a_dependency() -> None:
    world, (first,) = world_of(1)
    item = world.add(labels=("docs",), dependencies=(first,))
    assert dispatch(world, only=("label=docs",)) == "filter_exhausted"
    assert world.status(item) == "ready"


def test_what_is_under_way_goes_on_though_the_filter_no_longer_means_it() -> None:
    world, (first, *_) = world_of(1)
    world.script["build"] = [FAILS]
    world.ask(calls.ItemEdit(id=first, size="small"))
    world.held = {"build"}
    world.ask(calls.RunStart(only=("size=small",)))
    world.settle()
    world.ask(calls.ItemEdit(id=first, size="medium"))
    world.held = set()
    world.settle()
    assert world.status(first) == "done"


# --- one request attaches, another is refused ------------------------------------------------------------------------


def test_the_same_request_attaches_and_another_is_refused_in_words() -> None:
    world, (first, second) = world_of(2)
    world.held = {"build"}
    world.ask(calls.RunStart(targets=(first,), then_rest=True, cap=9))
    assert world.ask(calls.RunStart(targets=(first,), then_rest=True)).note == "attached"
    others = (
        calls.RunStart(targets=(second,)),
        calls.RunStart(only=("size=small",)),
        calls.RunStart(),
        calls.RunStart(targets=(first,), then_rest=True, cap=3),
    )
    for other in others:
        with pytest.raises(Fault, match=f"cap 9, targets {first}, then the rest, until done") as refused:
            world.ask(other)
        assert refused.value.code == "dispatch_active"


def test_a_filter_and_a_triage_are_told_in_words() -> None:
    world = World()
    world.project(config(triage=Triage()))
    item = world.add()
    world.held = {"triage"}
    world.ask(calls.Triage(ids=(item,)))
    with pytest.raises(Fault, match="triage only"):
        world.ask(calls.RunStart())
    world.ask(calls.RunStop())
    world.ask(calls.RunStart(only=("size=small",), continuous=True))
    with pytest.raises(Fault, match="only size=small, continuous"):
        world.ask(calls.RunStart())


# --- triage alone --------------------------------------------------------------------------------------------------


def test_only_new_items_are_triaged() -> None:
    world = World()
    world.project(config(pre=("scope",), triage=Triage()))
    item = world.add()
    world.ask(calls.Triage(ids=(item,)))
    world.settle()
    with pytest.raises(Fault, match=f"{item} is scoping") as refused:
        world.ask(calls.Triage(ids=(item,)))
    assert refused.value.code == "not_new"


def test_triage_starts_nothing_but_triage() -> None:
    world = World()
    world.project(config(pre=("scope",), triage=Triage()))
    first, second = world.add(), world.add()
    world.ask(calls.Triage(ids=(second,)))
    world.settle()
    assert world.halt_reason() == "target_done"
    assert (world.status(first), world.status(second)) == ("new", "scoping")
    world.script["triage"] = [ASKS]
    world.ask(calls.Triage())
    world.settle()
    assert world.halt_reason() == "all_done_or_blocked"
    assert world.status(first) == "blocked"
    third = world.add()
    world.script["triage"] = [ASKS]
    world.ask(calls.Triage(ids=(third,)))
    world.settle()
    assert world.halt_reason() == "target_blocked"
    world.held = {"triage"}
    world.ask(calls.ItemUnblock(id=third, answer="x"))
    world.settle()
    assert "only triages" in reason(world, second)


# --- the circuit breaker -------------------------------------------------------------------------------------------


def test_failures_in_a_row_trip_the_breaker_and_starting_again_resets_it() -> None:
    world, items = world_of(4, max_concurrent=1, circuit_breaker=2)
    world.script["build"] = [MISMATCH] * 4
    assert dispatch(world) == "circuit_breaker"
    assert [world.status(item) for item in items] == ["blocked", "blocked", "in_progress", "in_progress"]
    assert world.types()[-2:] == ["breaker.tripped", "dispatch.halted"]
    assert "it ended: circuit breaker" in reason(world, items[2])
    world.ask(calls.ItemUnblock(id=items[0]))
    assert world.halt_reason() == "circuit_breaker", "a decision does not turn it on again"
    world.script["build"] = []
    assert dispatch(world) == "all_done_or_blocked"
    assert "breaker.reset" in world.types()


def test_a_completed_phase_starts_the_count_anew() -> None:
    world, _ = world_of(4, max_concurrent=1, circuit_breaker=2)
    world.script["build"] = [MISMATCH, End(), MISMATCH, End()]
    assert dispatch(world) == "all_done_or_blocked"


@pytest.mark.parametrize(("bound", "reason"), [(0, "all_done_or_blocked"), (1, "circuit_breaker")])
def test_the_bound_is_the_projects(bound: int, reason: str) -> None:
    world, _ = world_of(3, max_concurrent=1, circuit_breaker=bound)
    world.script["build"] = [MISMATCH] * 3
    assert dispatch(world) == reason


# --- a shared workspace --------------------------------------------------------------------------------------------


def shared(*phases: str | Phase) -> World:
    world = World()
    world.project(config(phases=phases, workspace="shared"))
    return world


def running(world: World) -> set[str]:
    return {f"{attempt.item} {attempt.phase}" for attempt in world.running()}


def test_a_destructive_phase_has_a_shared_workspace_to_itself() -> None:
    world = shared("plan", phase("build", is_destructive=True))
    first, second = world.add(), world.add()
    world.held = {"plan", "build"}
    world.start()
    world.settle()
    assert running(world) == {f"{first} plan", f"{second} plan"}
    world.end(f"{first}.1.plan.1")
    world.settle()
    assert running(world) == {f"{second} plan"}
    assert f"waits until {second} leave" in reason(world, first)
    third = world.add()
    world.settle()
    assert running(world) == {f"{second} plan"}, "nothing new begins before the destructive phase that waits"
    world.end(f"{second}.1.plan.1")
    world.settle()
    assert running(world) == {f"{first} build"}
    assert f"{first} has the shared workspace to itself" in reason(world, third)
    world.held = set()
    world.settle()
    assert {world.status(item) for item in (first, second, third)} == {"done"}


def test_who_waits_for_a_slot_only_is_not_said_to_wait_for_the_shared_workspace() -> None:
    world = World()
    world.project(config(workspace="shared", max_concurrent=1))
    _, second = world.add(), world.add()
    world.held = {"build"}
    world.start()
    world.settle()
    assert "1 of 1 slots are taken" in reason(world, second)


def test_another_attempt_of_what_is_under_way_does_not_wait_behind_a_destructive_phase() -> None:
    world = shared(phase("build", is_destructive=True))
    item, _ = world.add(), world.add()
    world.script["build"] = [FAILS, End(), End()]
    world.start()
    world.settle()
    assert world.status(item) == "done"


def test_items_with_a_worktree_of_their_own_exclude_nobody() -> None:
    world, (first, second) = world_of(2, phases=(phase("build", is_destructive=True),))
    world.held = {"build"}
    world.start()
    world.settle()
    assert running(world) == {f"{first} build", f"{second} build"}


def test_only_new_items_are_triaged_and_only_where_triage_is_on() -> None:
    world = World()
    world.project(config(triage=Triage()))
    item = world.add()
    world.ask(calls.Triage())
    world.settle()
    with pytest.raises(Fault, match="ready, and only new items") as refused:
        world.ask(calls.Triage(ids=(item,)))
    assert refused.value.code == "not_new"
    world.configure(config())
    with pytest.raises(Fault) as refused:
        world.ask(calls.Triage())
    assert refused.value.code == "triage_off"


def test_in_a_shared_workspace_what_destroys_nothing_waits_for_slots_alone() -> None:
    world = World()
    world.project(config(workspace="shared", max_concurrent=1))
    world.add()
    second = world.add()
    world.held = {"build"}
    world.start()
    world.settle()
    assert "slots are taken" in reason(world, second)
