"""New worktrees: files are copied, setup commands run in order before the phase goes on, and a human mends failures."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Workspace
from golemd.api.model import AttemptKind, AttemptState, GateKind, Stage, Status, WorktreeState
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.outcomes import MAX_LOST_IN_ROW
from golemd.core.present import phase_view
from golemd.core.scheduler import why
from tests.core.world import SECOND, End, World, config, phase

SETUP = Workspace(setup=("install", "link"), copy=(".env",))
ITEM = "DEMO-1"
RUN = "DEMO-1.1"


def world_of(bootstrap: Workspace = SETUP, **settings: Any) -> World:
    world = World()
    world.project(config(bootstrap=bootstrap, **{"phases": (phase("build", verify=("make",)),), **settings}))
    world.add()
    return world


def begun(**settings: Any) -> World:
    world = world_of(**settings)
    world.start()
    world.calm()
    return world


def commands(world: World) -> list[str]:
    """The commands and agents that ran, in order."""
    planned = [record.data for record in world.records if isinstance(record.data, ev.AttemptPlanned)]
    return [each.command or each.agent for each in planned]


def data(world: World, kind: type[ev.Event]) -> list[Any]:
    return [record.data for record in world.records if isinstance(record.data, kind)]


def test_setup_commands_run_in_order_before_the_first_attempt_and_once() -> None:
    world = world_of(phases=("one", "two"))
    world.go()
    assert commands(world) == ["install", "link", "robot", "robot"]
    assert world.status(ITEM) == "done"
    attempts = [each.attempt for each in data(world, ev.AttemptPlanned)]
    assert attempts[:2] == [f"{RUN}.one.setup_1.1", f"{RUN}.one.setup_2.2"]
    assert {each.kind for each in data(world, ev.AttemptPlanned)[:2]} == {AttemptKind.SETUP}
    assert [(each.command, each.left) for each in data(world, ev.WorktreePrepared)] == [("install", 1), ("link", 0)]
    (made,) = data(world, ev.WorktreeMade)
    assert (made.commands, made.copied) == (2, 1)


def test_each_command_waits_for_the_one_before_and_holds_the_items_slot() -> None:
    world = begun(max_concurrent=1)
    second = world.add()
    world.calm()
    assert [each.command for each in world.running()] == ["install"]
    assert "max_concurrent" in str(why(world.state, world.item(second), world.limits, world.now_us))
    assert why(world.state, world.item(ITEM), world.limits, world.now_us) is None
    world.end(f"{RUN}.build.setup_1.1")
    world.calm()
    assert [each.command for each in world.running()] == ["link"]


def test_the_phase_begins_at_the_tree_that_setup_left() -> None:
    world = begun()
    world.end(f"{RUN}.build.setup_1.1")
    world.calm()
    world.end(f"{RUN}.build.setup_2.2")
    world.trees[RUN] = "with a lock file"
    world.calm()
    (attempt,) = [each for each in data(world, ev.AttemptPlanned) if each.kind is AttemptKind.AGENT]
    assert attempt.start_tree == "with a lock file"
    assert world.run(ITEM).phase.base_tree == "with a lock file", "so the phase's commit does not hold it"


def test_copying_alone_needs_no_second_look() -> None:
    world = world_of(Workspace(copy=(".env", "local/")))
    world.uncopied = ("local/ is not copied: the project's folder has no such file",)
    world.held = {"build"}
    world.go()
    assert world.types(ITEM).count("worktree.made") == 1
    assert world.run(ITEM).worktree is WorktreeState.READY
    shown = phase_view(world.run(ITEM).phases[0], world.run(ITEM))
    assert shown.warnings == world.uncopied, "a warning at the phase, which is no failure"


def test_a_shared_workspace_is_not_set_up() -> None:
    world = world_of(workspace="shared")
    world.go()
    assert commands(world) == ["robot", "make"]


def test_a_project_without_either_knows_nothing_of_it() -> None:
    world = world_of(Workspace())
    world.go()
    assert not [kind for kind in world.types(ITEM) if kind.startswith("worktree.")]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (End(status=3, lines=("npm ERR! missing", "see above")), "it ended with exit status 3"),
        (End(status=None, signal=11), "it was ended by signal 11"),
        (End(status=None, reason="timeout"), "it ran longer than its time limit"),
    ],
)
def test_a_failure_opens_a_gate_that_shows_what_was_said(end: End, words: str) -> None:
    world = world_of()
    world.script = {"link": [end]}
    world.go()
    gate = world.gate(ITEM)
    first, *rest = gate.question.splitlines()
    assert first == f"the setup command 'link' failed: {words} (2 attempts so far). Try build again, skip it, or abort?"
    assert (gate.kind, gate.key, tuple(rest)) == (GateKind.FAILURE, "setup", end.lines)
    assert gate.attempt == f"{RUN}.build.setup_2.2"
    assert world.state.attempts[gate.attempt].outcome == "setup"
    assert world.run(ITEM).phase.retries == 0
    assert world.run(ITEM).phase.notes == (), "the agent is not to mend it"


def test_retry_copies_and_sets_up_again_from_the_first_command() -> None:
    world = world_of()
    world.script = {"link": [End(status=1)]}
    world.go()
    world.decide(world.gate(ITEM).id, "retry", "try now")
    world.settle()
    assert commands(world) == ["install", "link", "install", "link", "robot", "make"]
    assert len(data(world, ev.WorktreeMade)) == 2
    assert world.status(ITEM) == "done"


def test_a_phase_that_follows_a_skipped_one_is_set_up_too() -> None:
    world = world_of(phases=("one", "two"))
    world.script = {"install": [End(status=1)]}
    world.go()
    world.decide(world.gate(ITEM).id, "skip")
    world.settle()
    assert commands(world) == ["install", "install", "link", "robot"]


@pytest.mark.parametrize(
    "end",
    [End(status=None, signal=15, reason="stopped"), End(status=None, reason="never_started"), End(lost=True)],
    ids=["stopped", "never started", "lost"],
)
def test_one_that_was_interrupted_or_lost_is_run_again(end: End) -> None:
    world = world_of()
    world.script = {"link": [end]}
    world.go()
    assert commands(world) == ["install", "link", "link", "robot", "make"]
    assert world.status(ITEM) == "done"


def test_one_that_is_lost_too_often_opens_a_gate_and_retry_begins_anew() -> None:
    world = world_of()
    world.script = {"link": [End(lost=True)] * (MAX_LOST_IN_ROW + 1)}
    world.go()
    assert world.gate(ITEM).key == "lost"
    world.decide(world.gate(ITEM).id, "retry")
    world.settle()
    assert commands(world)[-4:] == ["install", "link", "robot", "make"]


def test_one_that_could_not_be_started_is_tried_again_after_a_pause_with_nothing_dispatched() -> None:
    world = world_of()
    world.script = {"install": [End(reason="spawn_failed", status=None, error="no memory")]}
    world.start()
    world.calm()
    world.end(f"{RUN}.build.setup_1.1")
    world.calm()
    world.ask(calls.RunStop())
    assert (world.running(), world.plan().wake_at_us) == ([], world.now_us + 5 * SECOND)
    world.now_us += 5 * SECOND
    world.calm()
    assert [each.id for each in world.running()] == [f"{RUN}.build.setup_1.2"]


def test_one_that_cannot_be_started_at_all_opens_a_gate() -> None:
    world = world_of()
    world.script = {"install": [End(reason="unusable", status=None)]}
    world.go()
    assert world.gate(ITEM).key == "unusable"


def test_a_worktree_that_is_gone_is_made_and_set_up_again() -> None:
    world = world_of(phases=("one", "two"))
    world.held = {"one", "two"}
    world.go()
    world.gone = {RUN}
    world.end(f"{RUN}.one.1")
    world.settle()
    assert commands(world) == ["install", "link", "robot", "install", "link", "robot"]
    assert (len(data(world, ev.WorktreeGone)), len(data(world, ev.WorktreeMade))) == (1, 2)
    assert not world.apply(cmd.ReportGone(run="none")).drafts
    world.end(f"{RUN}.two.1")
    world.settle()
    assert not world.apply(cmd.ReportGone(run=RUN)).drafts, "a run that is over has none"


def commit(world: World, *, nothing: bool) -> None:
    """The phase under way ends, and leaves something to commit or nothing."""
    while not (commits := [each for each in world.plan().effects if isinstance(each, planning.Commit)]):
        assert world.step()
    run = world.run(ITEM)
    if nothing:
        empty = cmd.ReportCommitted(run=run.id, attempt=run.phase.accepted, head=run.base_commit, tree=run.phase.tree)
        world.apply(empty)
    else:
        world.carry_out(commits[0])


@pytest.mark.parametrize(("nothing", "times"), [(True, 2), (False, 1)])
def test_a_base_that_is_taken_afresh_is_set_up_afresh_and_a_kept_one_is_not(nothing: bool, times: int) -> None:
    world = world_of(pre=("scope",), phases=("build",))
    world.held = {"scope"}
    world.go()
    world.end(f"{RUN}.scope.1")
    commit(world, nothing=nothing)
    world.settle()
    assert commands(world) == ["install", "link", "robot"] * times + ["robot"] * (2 - times)
    assert world.status(ITEM) == "done"


def test_the_pinned_configuration_rules() -> None:
    world = begun()
    world.configure(config(bootstrap=Workspace(setup=("other",)), phases=(phase("build", verify=("make",)),)))
    world.settle()
    assert commands(world) == ["install", "link", "robot", "make"]


def test_a_restart_in_the_middle_goes_on_with_the_command_under_way() -> None:
    world = begun()
    world.end(f"{RUN}.build.setup_1.1")
    world.calm()
    world.restart()
    assert [type(each) for each in world.plan().effects] == [planning.Watch]
    world.settle()
    assert commands(world) == ["install", "link", "robot", "make"]


def test_a_pause_ends_a_setup_command_and_resuming_runs_it_again() -> None:
    world = begun()
    world.ask(calls.Pause(id=ITEM))
    world.calm()
    assert (world.running(), world.plan().commands) == ([], ())
    assert world.state.attempts[f"{RUN}.build.setup_1.1"].state is AttemptState.REJECTED
    world.ask(calls.Resume(id=ITEM))
    world.settle()
    assert commands(world) == ["install", "install", "link", "robot", "make"]


def test_entering_while_paused_makes_the_worktree_and_starts_nothing() -> None:
    for workspace in (SETUP, Workspace(copy=(".env",))):
        world = world_of(workspace)
        world.start()
        while not world.plan().effects:
            world.step()
        (enter,) = world.plan().effects
        world.ask(calls.Pause(id=ITEM))
        world.carry_out(enter)
        assert world.types(ITEM)[-1] == "worktree.made"
        assert {type(each) for each in world.plan().commands} <= {cmd.Halt}
        world.ask(calls.Resume(id=ITEM))
        world.settle()
        assert world.status(ITEM) == "done"


@pytest.mark.parametrize("stage", ["entering", "setting up", "at work"])
def test_what_does_not_fit_decides_nothing(stage: str) -> None:
    world = begun()
    assert not world.apply(cmd.PlanSetup(run="none")).drafts
    assert not world.apply(cmd.PlanSetup(run=RUN)).drafts, "one is running"
    world.carry_out(planning.Enter(RUN))
    assert world.run(ITEM).phase.stage is Stage.ENTER, "a stray report of entering starts no agent before the setup"
    if stage == "at work":
        world.settle(wait=False)
    if stage == "entering":
        world.ask(calls.ItemCancel(id=ITEM))
        world.calm()
        assert world.status(ITEM) == Status.CANCELLED
        assert not world.apply(cmd.PlanSetup(run=RUN)).drafts


def test_the_journal_tells_the_same_state() -> None:
    world = world_of()
    world.script = {"link": [End(status=1)]}
    world.go()
    again = world.replay()
    assert again.runs == world.state.runs
    seqs = [record.seq for record in world.records]
    assert all(after - before == 1 for before, after in pairwise(seqs))
