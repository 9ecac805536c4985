"""The plan: what is asked for at each moment, when to look again, and when a dispatch has come to its end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.model import AttemptState, Stage
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.slots import Limits
from tests.core.world import NOON, End, World, config, phase


def begun(max_retries: int = 2) -> tuple[World, str]:
    world = World()
    world.project(config(phases=("one", "two"), max_retries=max_retries))
    item = world.add()
    world.start()
    return world, item


def asked(world: World) -> list[str]:
    return [type(effect).__name__ for effect in world.plan().effects]


def test_every_step_of_a_phase_is_asked_for_in_its_order() -> None:
    world = World()
    world.project(config(phases=(phase("build", verify=("make",)),)))
    world.add()
    world.start()
    seen: list[str] = []
    for _ in range(40):
        seen += [type(each).__name__ for each in world.plan().effects]
        if not world.step():
            for attempt in world.running():
                world.end(attempt.id)
    assert seen == ["Enter", "Spawn", "Examine", "Spawn", "Examine", "Commit", "Tidy", "WriteReport"]


def test_an_effect_in_flight_is_not_asked_for_again() -> None:
    world, item = begun()
    world.step()
    assert asked(world) == ["Enter"]
    world.in_flight = {f"enter:{item}.1"}
    assert asked(world) == []


def test_effects_have_keys_and_starting_and_watching_share_theirs() -> None:
    assert planning.Spawn("a").key == planning.Watch("a").key == "attempt:a"
    assert planning.Keep("a", "r").key == "keep:a"


def test_after_a_restart_what_was_under_way_is_asked_for() -> None:
    world, item = begun()
    world.calm()
    assert asked(world) == []
    world.restart()
    assert asked(world) == ["Watch"]
    world.end(f"{item}.1.one.1")
    world.restart()
    assert asked(world) == ["Examine"]


# --- stopping, a full disk, somebody else's project ---------------------------------------------------------------


@pytest.mark.parametrize(("stopping", "effects"), [("end", ["Watch", "Stop"]), ("keep", ["Watch"])])
def test_while_stopping_nothing_is_started(stopping: str, effects: list[str]) -> None:
    world, item = begun()
    world.add()
    world.step()
    world.stopping = stopping
    assert (asked(world), world.plan().commands, world.plan().wake_at_us) == ([], (), None)
    world.stopping = ""
    while world.run(item).phase.stage is not Stage.BODY:
        world.carry_out(world.plan().effects[0])
    world.stopping = stopping
    assert asked(world) == [], "a planned attempt is not started"
    world.stopping = ""
    world.calm()
    world.in_flight.clear()
    world.stopping = stopping
    assert sorted(set(asked(world))) == sorted(effects)
    for attempt in world.running():
        world.end(attempt.id)
    assert asked(world) == [], "it is examined at the next start"


def test_on_a_full_disk_nothing_is_launched_and_ends_are_still_examined() -> None:
    world, item = begun()
    while f"{item}.1.one.1" not in world.state.attempts:
        world.step()
    world.add()
    world.full = True
    assert (asked(world), world.plan().commands) == ([], ())
    world.full = False
    world.calm()
    world.full = True
    world.end(f"{item}.1.one.1")
    assert asked(world) == ["Examine"]


def test_a_project_that_another_daemon_holds_is_left_alone() -> None:
    world = World()
    world.project(config(phases=(phase("build", verify=("make",)),)))
    item = world.add()
    world.start()
    world.step()
    world.foreign = frozenset({"demo"})
    assert (asked(world), world.plan().commands) == ([], ()), "nothing is entered"
    world.foreign = frozenset()
    while f"{item}.1.build.1" not in world.state.attempts:
        world.step()
    world.foreign = frozenset({"demo"})
    assert asked(world) == [], "nothing is started"
    world.foreign = frozenset()
    world.calm()
    world.end(f"{item}.1.build.1")
    world.step()
    world.foreign = frozenset({"demo"})
    assert (asked(world), world.plan().commands) == ([], ()), "nothing is verified"
    world.ask(calls.ItemCancel(id=item))
    assert (asked(world), world.plan().commands) == ([], ()), "no dispatch is halted, nothing put away"


# --- stop --now --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.ENTER, Stage.VERIFY, Stage.COMMIT])
def test_after_stop_now_no_further_step_is_taken_until_the_next_run(stage: Stage) -> None:
    world = World()
    world.project(config(phases=(phase("build", verify=("make",)),)))
    item = world.add()
    world.start()
    while not (world.item(item).run and world.run(item).phase.stage is stage and not world.run(item).phase.live):
        for attempt in world.running():
            world.end(attempt.id)
        world.apply(world.plan().commands[0]) if world.plan().commands else world.step()
    world.ask(calls.RunStop(now=True))
    assert (asked(world), world.plan().commands) == ([], ())
    world.go()
    assert world.status(item) == "done"


def test_after_stop_now_a_planned_attempt_is_fenced_and_a_running_one_is_ended() -> None:
    world, item = begun()
    while f"{item}.1.one.1" not in world.state.attempts:
        world.step()
    world.ask(calls.RunStop(now=True))
    assert asked(world) == ["Fence"]
    world.settle()
    assert world.state.attempts[f"{item}.1.one.1"].outcome == "cancelled"
    world.start()
    world.calm()
    world.ask(calls.RunStop(now=True))
    assert asked(world) == ["Stop"]


# --- cleaning up -------------------------------------------------------------------------------------------------


def test_a_planned_attempt_of_a_run_that_is_over_is_fenced_and_a_running_one_stopped() -> None:
    world, item = begun()
    while f"{item}.1.one.1" not in world.state.attempts:
        world.step()
    world.ask(calls.ItemCancel(id=item))
    assert asked(world) == ["Fence"]
    world, item = begun()
    world.calm()
    world.ask(calls.ItemCancel(id=item))
    assert asked(world) == ["Stop"]
    world.carry_out(world.plan().effects[0])
    assert asked(world) == ["Examine"], "what it has cost"
    world.carry_out(world.plan().effects[0])
    assert asked(world) == ["Tidy"]


@pytest.mark.parametrize("key", ["enter:DEMO-1.1", "commit:DEMO-1.1", "keep:DEMO-1.1.one.1"])
def test_a_worktree_is_not_removed_while_an_effect_works_in_it(key: str) -> None:
    world, item = begun()
    world.calm()
    world.end(f"{item}.1.one.1", End(result=None))
    world.step()
    world.ask(calls.ItemCancel(id=item))
    world.in_flight = {key, "commit:DEMO-11.1"}
    assert asked(world) == []
    world.in_flight -= {key}
    assert asked(world) == ["Tidy"]


@pytest.mark.parametrize("held", [False, True])
def test_what_a_failed_attempt_left_is_kept_before_anything_else_and_before_a_human_works_there(held: bool) -> None:
    world, item = begun(max_retries=0)
    world.calm()
    world.end(f"{item}.1.one.1", End(result=None))
    world.step()
    assert world.gate(item).key == "no_result"
    if held:
        world.ask(calls.Pause(id=item))
    assert asked(world) == ["Keep"]
    keep = world.plan().effects[0]
    world.in_flight.add(keep.key)
    world.decide(item, "retry")
    if held:
        world.ask(calls.Resume(id=item))
    world.step()
    assert world.run(item).phase.state == "running"
    assert asked(world) == [], "the workspace is entered when the tree is back"
    world.in_flight.clear()
    world.carry_out(keep)
    assert asked(world) == ["Enter"]


# --- waking up ---------------------------------------------------------------------------------------------------


def test_the_plan_names_the_next_moment_at_which_time_alone_matters() -> None:
    world, item = begun()
    other = world.add()
    world.calm()
    assert world.goes_on_at is None
    world.end(f"{item}.1.one.1", End(result=None))
    world.calm()
    world.now_us += 1_000_000
    world.end(f"{other}.1.one.1", End(result=None))
    world.calm()
    assert world.plan().wake_at_us == NOON + 5_000_000
    world.now_us = NOON + 5_000_000
    world.calm()
    assert world.plan().wake_at_us == NOON + 6_000_000
    world.ask(calls.RunStop())
    assert world.goes_on_at is None


# --- halting -----------------------------------------------------------------------------------------------------


def test_a_dispatch_halts_when_all_is_done_or_blocked() -> None:
    world, _ = begun()
    blocked = world.add()
    world.script["one"] = [End(), End(result={"result": "blocked"})]
    world.settle()
    assert world.status(blocked) == "blocked"
    assert world.halt_reason() == "all_done_or_blocked"


def test_an_empty_backlog_halts_at_once_but_a_continuous_dispatch_waits_for_items() -> None:
    world = World()
    world.project()
    world.go()
    assert world.halt_reason() == "all_done_or_blocked"
    world.go(continuous=True)
    assert world.halt_reason() == "on"
    item = world.add()
    world.settle()
    assert (world.status(item), world.halt_reason()) == ("done", "on")


@pytest.mark.parametrize("continuous", [False, True])
def test_a_used_cap_halts_when_something_could_have_gone_on(continuous: bool) -> None:
    world = World()
    world.project(config(phases=("one", "two")))
    item = world.add()
    world.go(cap=1, continuous=continuous)
    assert world.halt_reason() == "cap_reached"
    world.go(cap=1, continuous=continuous)
    assert world.status(item) == "done"
    assert world.halt_reason() == ("on" if continuous else "all_done_or_blocked")


def test_a_used_cap_halts_too_when_only_a_promotion_is_left() -> None:
    world = World(Limits(max_agents=4, max_concurrent_runs=0))
    world.project()
    world.add()
    world.go()
    assert world.halt_reason() == "on", "it waits for a place among the runs of all projects"
    world.happen(ev.DispatchStarted(cap=1, used=1))
    world.settle()
    assert world.halt_reason() == "cap_reached"


def test_a_dispatch_waits_for_an_attempt_in_back_off_and_for_a_slot() -> None:
    world, item = begun()
    world.calm()
    world.end(f"{item}.1.one.1", End(result=None))
    world.settle(wait=False)
    assert world.halt_reason() == "on"
    world.limits = Limits(max_agents=0)
    world.now_us += 5_000_000
    world.settle(wait=False)
    assert world.halt_reason() == "on"


def test_a_used_cap_does_not_halt_what_only_waits_for_a_slot_to_try_again() -> None:
    world = World()
    world.project()
    item = world.add()
    world.start(cap=1)
    world.calm()
    world.end(f"{item}.1.build.1", End(lost=True))
    world.limits = Limits(max_agents=0)
    world.settle()
    assert world.halt_reason() == "on"
    world.limits = Limits()
    world.settle()
    assert world.status(item) == "done"


def test_a_back_off_behind_an_unmet_dependency_is_nothing_to_wait_for() -> None:
    world, item = begun()
    world.calm()
    other = world.add()
    world.ask(calls.ItemCancel(id=other))
    world.end(f"{item}.1.one.1", End(result=None))
    world.ask(calls.ItemEdit(id=item, dependencies=(other,)))
    world.settle(wait=False)
    assert world.halt_reason() == "all_done_or_blocked"


def test_a_dispatch_does_not_halt_while_a_cancelled_items_process_is_ending() -> None:
    world, item = begun()
    world.calm()
    world.ask(calls.ItemCancel(id=item))
    world.in_flight.add(f"stop:{item}.1.one.1")
    assert world.plan().commands == ()
    world.carry_out(planning.Stop(f"{item}.1.one.1"))
    world.carry_out(planning.Examine(f"{item}.1.one.1"))
    assert [type(each) for each in world.plan().commands] == [cmd.Halt]


def test_max_wip_full_of_items_that_cannot_go_on_halts() -> None:
    world = World()
    world.project(config(phases=("one", "two"), max_wip=1))
    item, other = world.add(), world.add()
    world.start()
    world.calm()
    gone = world.add()
    world.ask(calls.ItemCancel(id=gone))
    world.ask(calls.ItemEdit(id=item, dependencies=(gone,)))
    world.settle()
    assert world.halt_reason() == "all_done_or_blocked"
    assert world.status(other) == "ready"
    assert world.state.attempts[f"{item}.1.one.1"].state is AttemptState.ACCEPTED


def test_a_back_off_behind_a_gate_is_nothing_to_wait_for() -> None:
    world, item = begun()
    world.calm()
    world.end(f"{item}.1.one.1", End(result=None))
    world.step()
    world.apply(cmd.ReportTrouble(run=f"{item}.1", doing="keeping", message="no room"))
    world.settle(wait=False)
    assert world.run(item).phase.again_us > world.now_us
    assert (world.halt_reason(), world.goes_on_at) == ("all_done_or_blocked", None)


def test_what_the_daemon_does_by_itself_names_the_record_that_it_follows_from() -> None:
    world = World()
    world.project(config(pre=("scope",), phases=(phase("build", verify=("make",)),)))
    item = world.add()
    world.script = {"scope": [End(result=None)], "build": [End(lost=True)], "make": [End(status=1)]}
    world.go()
    mine = [record for record in world.records if record.item == item]
    for before, record in pairwise(mine):
        kind, _, seq = record.cause.partition(":")
        assert (kind, world.records[int(seq) - 1].item) == ("seq", item)
        assert int(seq) <= before.seq


# --- old logs ----------------------------------------------------------------------------------------------------


def test_old_logs_are_removed_when_it_is_time_and_the_time_is_waited_for() -> None:
    world, _ = begun()
    world.calm()
    assert world.plan().wake_at_us is None
    world.prune_at_us = world.now_us + 5
    assert (asked(world), world.plan().wake_at_us) == ([], world.now_us + 5)
    world.now_us += 5
    assert asked(world) == ["Prune"]
    world.in_flight.add("prune:logs")
    assert (asked(world), world.plan().wake_at_us) == ([], None), "it is under way, and no moment is left to wait for"
    world.full = True
    world.in_flight.clear()
    assert "Prune" in asked(world), "room is what a full disk needs"
    world.stopping = "end"
    assert "Prune" not in asked(world)


# --- what has waited ---------------------------------------------------------------------------------------------


def test_a_step_that_waited_is_left_when_its_run_stands_elsewhere_by_then() -> None:
    world = World()
    world.project(config(phases=("one", "two")))
    item = world.add()
    world.start()
    while (entering := planning.Enter(f"{item}.1")) not in world.plan().effects:
        world.step()
    assert not planning.is_left(world.state, entering)
    world.calm()
    assert planning.is_left(world.state, entering), "it has been made"
    world.held = {"one"}
    world.end(f"{item}.1.one.1")
    while (committing := planning.Commit(f"{item}.1")) not in world.plan().effects:
        world.step()
    assert not planning.is_left(world.state, committing)
    world.ask(calls.ItemAdvance(id=item, force=True))
    assert planning.is_left(world.state, committing), "a human has left the phase behind"
    assert not planning.is_left(world.state, planning.Tidy(f"{item}.1")), "this is no step of a phase"
    assert planning.is_left(world.state, planning.Commit("NONE.1")), "it was put away"
