"""Worktrees that nobody needs: set aside after a day, whatever they wait for, and back before anything else happens."""

from __future__ import annotations

from typing import Any

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Workspace
from golemd.api.model import AttemptKind, RunState, Stage, WorktreeState
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.asides import ASIDE_AFTER_US, aside_at
from golemd.core.commands import Launch, PlanSetup
from golemd.core.present import run_view
from tests.core.moments import step_until
from tests.core.world import FAILS, SECOND, End, World, config, phase

ITEM = "DEMO-1"
RUN = "DEMO-1.1"
SETUP = Workspace(setup=("install",), copy=(".env",))


def world_of(**settings: Any) -> World:
    world = World()
    world.project(config(**{"phases": ("build", "ship"), **settings}))
    world.add()
    return world


def asked(world: World) -> list[str]:
    return [type(effect).__name__ for effect in world.plan().effects]


def a_day_later(world: World) -> None:
    """Nothing happens for a day, and the daemon does what it does then."""
    world.calm()
    world.now_us += ASIDE_AFTER_US
    world.calm()


def data(world: World, kind: type[ev.Event]) -> list[Any]:
    return [record.data for record in world.records if isinstance(record.data, kind)]


def worktree(world: World) -> WorktreeState:
    return world.run(ITEM).worktree


# --- when --------------------------------------------------------------------------------------------------------


def gated(world: World) -> None:
    world.script = {"build": [End(result={"result": "blocked", "question": "?"})]}
    world.go()


def failed(world: World) -> None:
    world.script = {"build": [FAILS] * 9}
    world.go()


def paused(world: World) -> None:
    world.held = {"build"}
    world.go()
    world.ask(calls.Pause(id=ITEM))


def stopped(world: World) -> None:
    world.held = {"build"}
    world.go()
    world.ask(calls.RunStop(now=True))


def parked(world: World) -> None:
    reset = world.now_us + 9 * ASIDE_AFTER_US
    world.held = {"build"}
    world.go()
    world.end(f"{RUN}.build.1", End(result=None, said=cmd.Said(trouble="limit", reset_us=reset)))


def dependent(world: World) -> None:
    world.script = {"build": [End(result={"result": "blocked", "question": "?"})]}
    world.go()
    world.decide(world.gate(ITEM).id, "answer", "so")
    other = world.add(dependencies=())
    world.ask(calls.ItemEdit(id=ITEM, dependencies=(other,)))
    world.held = {"build"}
    world.settle()


WAITS = [gated, failed, paused, stopped, parked, dependent]


@pytest.mark.parametrize("wait", WAITS)
def test_after_a_day_without_a_record_it_is_set_aside(wait: Any) -> None:
    world = world_of()
    wait(world)
    world.calm()
    due = aside_at(world.state, world.run(ITEM))
    assert due is not None
    woken = world.plan().wake_at_us
    assert woken is not None
    assert woken <= due
    world.now_us = due - 1
    assert "SetAside" not in asked(world)
    world.now_us = due
    assert asked(world).count("SetAside") == 1
    world.calm()
    assert worktree(world) is WorktreeState.ASIDE
    assert "SetAside" not in asked(world), "once is enough"
    shown = run_view(world.state, world.run(ITEM))
    assert (shown.kept_ref, shown.aside_at) == ("kept/x", world.records[-1].ts)
    assert world.replay().runs == world.state.runs


def test_whatever_happens_to_the_item_begins_another_day() -> None:
    world = world_of()
    gated(world)
    world.now_us += ASIDE_AFTER_US - 5 * SECOND
    world.ask(calls.ItemEdit(id=ITEM, priority=3))
    world.now_us += 10 * SECOND
    assert asked(world) == []


def test_the_day_outlasts_restarts() -> None:
    world = world_of()
    gated(world)
    world.now_us += ASIDE_AFTER_US // 2
    world.restart()
    world.now_us += ASIDE_AFTER_US // 2
    assert asked(world) == ["SetAside"]


def test_what_works_or_has_nothing_or_shares_is_never_set_aside() -> None:
    world = world_of()
    world.held = {"build"}
    world.go()
    assert aside_at(world.state, world.run(ITEM)) is None, "an attempt runs"
    world.end(f"{RUN}.build.1")
    while not any(isinstance(each, planning.Commit) for each in world.plan().effects):
        world.step()
    world.now_us += ASIDE_AFTER_US
    assert "SetAside" not in asked(world), "its next step comes by itself"
    shared = world_of(workspace="shared")
    gated(shared)
    assert aside_at(shared.state, shared.run(ITEM)) is None
    fresh = world_of()
    fresh.start()
    fresh.calm()
    fresh.ask(calls.ItemCancel(id=ITEM))
    assert all(not each.workspace or each.state is RunState.ABORTED for each in fresh.state.runs.values())


def test_what_is_about_to_be_launched_is_not_set_aside_before() -> None:
    world = world_of()
    stopped(world)
    world.calm()
    world.now_us += ASIDE_AFTER_US
    world.start()
    steps = world.plan()
    assert [type(each) for each in steps.commands] == [Launch]
    assert steps.effects == ()


@pytest.mark.parametrize("how", ["stopping", "full", "foreign"])
def test_not_while_stopping_nor_on_a_full_disk_nor_for_somebody_elses_project(how: str) -> None:
    world = world_of()
    gated(world)
    world.now_us += ASIDE_AFTER_US
    changes: dict[str, Any] = {"stopping": "end", "full": True, "foreign": frozenset({"demo"})}
    setattr(world, how, changes[how])
    assert asked(world) == []


def test_one_that_must_stand_is_told_of_and_looked_at_again_a_day_later() -> None:
    world = world_of()
    gated(world)
    world.hindrances = ("big is too big to be kept",)
    a_day_later(world)
    assert worktree(world) is WorktreeState.UNKNOWN
    assert data(world, ev.WorkKept)[-1].listed == world.hindrances
    assert world.plan().wake_at_us == world.now_us + ASIDE_AFTER_US
    world.hindrances = ()
    a_day_later(world)
    assert worktree(world) is WorktreeState.ASIDE


# --- and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", [Workspace(), SETUP], ids=["plain", "with setup"])
def test_an_answer_brings_it_back_sets_it_up_and_goes_on(setup: Workspace) -> None:
    world = world_of(bootstrap=setup)
    gated(world)
    a_day_later(world)
    world.decide(world.gate(ITEM).id, "answer", "so")
    world.settle()
    assert world.status(ITEM) == "done"
    made = data(world, ev.WorktreeMade)
    assert [each.rebuilt for each in made] == ([False, True] if setup.setup else [True])
    kinds = [each.kind for each in data(world, ev.AttemptPlanned)]
    again = [AttemptKind.SETUP, AttemptKind.AGENT] if setup.setup else [AttemptKind.AGENT]
    assert kinds == [*again, *again, AttemptKind.AGENT]


def test_nothing_brings_it_back_while_it_still_waits() -> None:
    for wait in (gated, paused, stopped, parked):
        world = world_of()
        wait(world)
        a_day_later(world)
        assert (asked(world), world.running()) == ([], [])


@pytest.mark.parametrize("wait", [paused, stopped, parked], ids=["paused", "stopped", "parked"])
def test_the_next_attempt_of_a_phase_under_way_keeps_its_start(wait: Any) -> None:
    world = world_of(bootstrap=SETUP)
    wait(world)
    world.calm()
    before = world.run(ITEM).phase
    used = world.state.projects["demo"].dispatch.used
    a_day_later(world)
    if wait is paused:
        world.ask(calls.Resume(id=ITEM))
    elif wait is stopped:
        world.start()
    else:
        world.now_us += 9 * ASIDE_AFTER_US
    world.held = {"build"}
    world.settle(wait=False)
    phase_now = world.run(ITEM).phase
    assert phase_now.live == f"{RUN}.build.2"
    assert (phase_now.start_tree, phase_now.start_head) == (before.start_tree, before.start_head)
    assert (phase_now.state, phase_now.stage, phase_now.resumes) == (before.state, Stage.BODY, False)
    assert world.types(ITEM).count("phase.started") == 1
    assert world.state.projects["demo"].dispatch.used == (0 if wait is stopped else used), "the cap does not count it"
    world.held = set()
    world.settle()
    assert world.status(ITEM) == "done"


def about_to_be_put_back() -> World:
    """A world in which an attempt has failed, and what it left is still there."""
    world = world_of(max_retries=0, bootstrap=SETUP)
    world.script = {"build": [FAILS]}
    world.start()
    step_until(world, lambda world: any(run.phase.put_back for run in world.state.runs.values()))
    return world


def test_a_worktree_in_which_something_is_to_be_put_back_is_not_set_aside() -> None:
    world = about_to_be_put_back()
    world.now_us += 2 * ASIDE_AFTER_US
    assert asked(world) == ["Keep"]
    world.calm()
    assert aside_at(world.state, world.run(ITEM)) == world.now_us + ASIDE_AFTER_US


def test_it_is_back_before_what_a_failed_attempt_left_is_put_away() -> None:
    world = about_to_be_put_back()
    head, tree = world.heads[RUN], world.trees[RUN]
    once = ev.WorkKept(run=RUN, then="aside", ref="kept/x", commit="k", head=head, tree=tree, staged=tree)
    world.happen(once, ITEM)  # as it was before things were put back with the gate open
    world.decide(world.gate(ITEM).id, "retry")
    seen = []
    for _ in range(12):
        sets_up = any(isinstance(command, PlanSetup) for command in world.plan().commands)
        assert not (sets_up and "Keep" in asked(world)), "nothing is set up while files are put back"
        seen += asked(world)
        world.step()
    assert seen[:3] == ["Rebuild", "Keep", "Spawn"], "kept, put back, set up"
    world.settle()
    assert world.status(ITEM) == "done"


def test_a_commit_that_a_human_retries_finds_its_worktree() -> None:
    world = world_of()
    world.start()
    world.calm()
    world.end(f"{RUN}.build.1")
    world.step()
    world.apply(cmd.ReportTrouble(run=RUN, doing="committing", message="no room"))
    a_day_later(world)
    assert worktree(world) is WorktreeState.ASIDE
    world.decide(world.gate(ITEM).id, "retry")
    assert asked(world) == ["Rebuild"]
    world.step()
    assert asked(world) == ["Commit"]


def test_what_a_human_changed_is_verified_in_a_worktree_that_is_back_and_set_up() -> None:
    world = world_of(bootstrap=SETUP, phases=(phase("build", verify=("make",), gate=("approval",)),))
    world.go()
    world.trees[RUN] = "by hand"
    a_day_later(world)
    world.decide(world.gate(ITEM).id, "approve", content=world.content(ITEM))
    world.decide(world.gate(ITEM).id, "approve", content=world.content(ITEM))
    seen: list[str] = []
    for _ in range(4):
        seen += asked(world)
        world.step()
    assert seen == ["Rebuild", "Spawn"]
    assert world.running()[0].kind is AttemptKind.SETUP
    world.settle()
    assert data(world, ev.AttemptPlanned)[-1].command == "make"


def test_a_base_that_is_taken_afresh_needs_nothing_back() -> None:
    world = world_of(pre=("scope",), phases=("build",), max_wip=0)
    world.start()
    world.calm()
    world.end(f"{RUN}.scope.1")
    while not (commits := [each for each in world.plan().effects if isinstance(each, planning.Commit)]):
        world.step()
    run = world.run(ITEM)
    world.apply(
        cmd.ReportCommitted(run=commits[0].id, attempt=run.phase.accepted, head=run.base_commit, tree=run.phase.tree)
    )
    a_day_later(world)
    assert worktree(world) is WorktreeState.ASIDE
    world.configure(config(pre=("scope",), phases=("build",)))
    world.start()
    seen = []
    for _ in range(6):
        seen += asked(world)
        world.step()
    assert "Rebuild" not in seen
    assert world.run(ITEM).aside is None
    world.settle()
    assert world.status(ITEM) == "done"


@pytest.mark.parametrize("end", ["abort", "skip"])
def test_one_that_ends_or_goes_on_without_it_leaves_nothing_behind(end: str) -> None:
    world = world_of(max_retries=0)
    failed(world)
    a_day_later(world)
    world.script.clear()
    world.decide(world.gate(ITEM).id, end)
    world.settle()
    assert world.status(ITEM) == ("cancelled" if end == "abort" else "done")


# --- while it is under way ---------------------------------------------------------------------------------------


def test_while_it_is_being_set_aside_or_brought_back_nothing_else_begins_in_it() -> None:
    world = world_of()
    gated(world)
    world.now_us += ASIDE_AFTER_US
    world.in_flight.add(f"setaside:{RUN}")
    world.decide(world.gate(ITEM).id, "answer", "so")
    assert (asked(world), world.plan().commands) == ([], ())
    world.in_flight.clear()
    world.carry_out(planning.SetAside(RUN))
    (launch,) = world.plan().commands
    world.apply(launch)
    assert asked(world) == ["Rebuild"]
    world.in_flight.add(f"rebuild:{RUN}")
    assert (asked(world), world.plan().commands) == ([], ())
    world.in_flight.clear()
    world.settle()
    assert world.status(ITEM) == "done"


def test_reports_that_do_not_fit_decide_nothing() -> None:
    world = world_of()
    world.held = {"build"}
    world.go()
    aside = cmd.ReportKept(run=RUN, then="aside", head="h", tree="t", staged="t")
    assert not world.apply(aside).drafts, "an attempt runs"
    assert not world.apply(cmd.ReportMade(run=RUN)).drafts
    assert not world.apply(cmd.ReportMade(run="none")).drafts
    world.end(f"{RUN}.build.1", End(result={"result": "blocked", "question": "?"}))
    a_day_later(world)
    assert not world.apply(aside).drafts, "it is aside already"
    world.ask(calls.ItemCancel(id=ITEM))
    assert not world.apply(aside).drafts
    assert not world.apply(cmd.ReportMade(run=RUN)).drafts, "its run is over"
