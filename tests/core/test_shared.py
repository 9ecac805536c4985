"""A shared workspace: what waits to be committed, when it is committed, and that nothing there is put back."""

from __future__ import annotations

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.core.decide import decide
from golemd.core.prompt import prompt_for
from golemd.core.scheduler import select_actions, why
from tests.core.world import FAILS, End, World, config, phase, picture

BUILD = phase("build", is_destructive=True)


def world_with(*phases: object) -> tuple[World, str]:
    world = World()
    world.project(config(phases=phases or ("plan", "check", BUILD, "review"), workspace="shared"))  # type: ignore[arg-type]
    return world, world.add()


def commits(world: World) -> list[tuple[str, bool]]:
    """Each record of a commit: the phase, and whether it was put off."""
    found = (record.data for record in world.records)
    return [(each.phase, each.deferred) for each in found if isinstance(each, ev.CommitCreated)]


def test_what_destroys_nothing_waits_for_the_next_that_does_and_for_the_end() -> None:
    world, item = world_with()
    world.go()
    assert world.status(item) == "done"
    assert commits(world) == [("plan", True), ("check", True), ("check", False), ("build", False), ("review", False)]
    assert picture(world.replay()) == picture(world.state)


def test_all_phases_of_one_commit_know_it() -> None:
    world, item = world_with()
    world.held = {"build"}
    world.go()
    plan, check, *_ = world.run(item).phases
    assert plan.commit == check.commit != ""
    assert world.run(item).uncommitted == ()


@pytest.mark.parametrize("definition", [phase("plan", gate=("approval",)), BUILD])
def test_what_a_human_approves_or_what_destroys_is_committed_at_once(definition: object) -> None:
    world, _ = world_with(definition, "last")
    world.held = {"last"}
    world.go()
    assert commits(world)[0][1] is False


def test_rounds_are_committed_one_by_one() -> None:
    world, _ = world_with("plan", "last")
    world.script["plan"] = [End(result={"result": "subphase_complete"})]
    world.held = {"last"}
    world.go()
    assert commits(world) == [("plan", False), ("plan", True)]


def test_what_waits_is_committed_when_the_item_is_blocked_or_cancelled() -> None:
    world, _ = world_with("plan", "check", "last")
    world.script["check"] = [End(result={"result": "blocked", "question": "?"})]
    world.go()
    assert commits(world) == [("plan", True), ("plan", False)]
    other = world.add()
    world.script["check"] = [End()]
    world.held = {"last"}
    world.go()
    world.ask(calls.ItemCancel(id=other))
    world.settle()
    assert commits(world)[-1] == ("check", False)
    assert world.state.known(other).status == "cancelled"


def test_a_destructive_phase_of_another_item_waits_until_all_is_committed() -> None:
    world, first = world_with("plan", "last")
    world.held = {"last"}
    world.go()
    assert world.run(first).uncommitted == ("plan",)
    world.configure(config(phases=(BUILD,), workspace="shared"))
    second = world.add()
    world.end(f"{first}.1.last.1", FAILS)
    world.held = {"last", "build"}
    world.settle(wait=False)
    assert world.run(first).uncommitted == ("plan",)
    world.ask(calls.ItemCancel(id=first))
    world.settle()
    assert commits(world)[-1] == ("plan", False)
    assert world.running()[0].item == second


def test_nothing_begins_beside_the_agent_of_a_cancelled_item_that_is_still_being_ended() -> None:
    world, first = world_with(BUILD)
    world.held = {"build"}
    world.go()
    second = world.add()
    world.ask(calls.ItemCancel(id=first))
    world.apply(cmd.Promote(item=second))
    assert select_actions(world.state, world.limits, world.now_us) == []
    sentence = why(world.state, world.item(second), world.limits, world.now_us)
    assert f"the agent of {first} is still being ended in the shared workspace" in (sentence or "")
    world.end(f"{first}.1.build.1", End(status=None, signal=15, reason="stopped", result=None))
    world.settle(wait=False)
    assert world.running()[0].item == second


def beside_what_could_not_be_committed() -> tuple[World, str, str]:
    """The first item's commit has failed, and a human is asked; the second one's agent has the workspace to itself."""
    world, first = world_with(BUILD)
    world.held = {"build"}
    world.go()
    world.end(f"{first}.1.build.1")
    (looking,) = world.plan().effects
    world.carry_out(looking)
    world.apply(cmd.ReportTrouble(run=f"{first}.1", doing="committing", message="git is locked"))
    second = world.add()
    world.settle(wait=False)
    return world, first, second


def test_nothing_is_committed_under_an_agent_that_has_the_workspace_to_itself() -> None:
    world, first, second = beside_what_could_not_be_committed()
    assert world.running()[0].item == second
    world.decide(world.gate(first).id, "retry")
    assert not [each for each in world.plan().effects if isinstance(each, plan.Commit)]
    world.ask(calls.ItemCancel(id=second))
    assert not [each for each in world.plan().effects if isinstance(each, plan.Commit)], "it is still being ended"
    world.end(f"{second}.1.build.1")
    world.settle(wait=False)
    assert commits(world) == [("build", False)]


def test_an_agent_that_has_the_workspace_to_itself_does_not_begin_under_a_commit() -> None:
    world, first, second = beside_what_could_not_be_committed()
    world.decide(world.gate(first).id, "retry")
    world.end(f"{second}.1.build.1", End(result=None, status=None, signal=15, reason="stopped"))
    (looking,) = world.plan().effects
    world.carry_out(looking)
    (commit,) = (each for each in world.plan().effects if isinstance(each, plan.Commit))
    world.in_flight.add(commit.key)
    for command in world.plan().commands:
        world.apply(command)
    assert world.state.attempts[f"{second}.1.build.2"].state == "planned"
    assert world.plan().effects == ()
    world.in_flight.clear()
    world.carry_out(commit)
    assert plan.Spawn(f"{second}.1.build.2") in world.plan().effects


def test_nobody_enters_while_the_work_of_another_is_being_committed() -> None:
    world, first = world_with("plan", "last")
    second = world.add()
    world.start()
    while len(world.state.runs) < 2 or not all(run.phase.started_at for run in world.state.runs.values()):
        for command in world.plan().commands:
            world.apply(command)
    assert [each.id for each in world.plan().effects] == [f"{first}.1", f"{second}.1"]
    world.in_flight = {f"commit:{first}.1"}
    assert world.plan().effects == ()
    world.in_flight = {f"tidy:{first}.1", "commit:NONE.1"}
    assert len(world.plan().effects) == 2


def test_leftovers_of_a_failed_attempt_stay_and_are_named() -> None:
    world, item = world_with(BUILD)
    world.script["build"] = [End(result=None, leftovers=("a.txt",)), End(result={"result": "failed"}, leftovers=("b",))]
    world.held = set()
    world.start()
    for _ in range(2):
        world.settle(wait=False)
        world.now_us = world.plan().wake_at_us or world.now_us
    world.held = {"build"}
    world.settle()
    text = prompt_for(world.state, world.run(item), 3)
    assert "It left changed: a.txt" in text
    assert "It left changed: b" in text
    assert "work.kept" not in world.types(item)


def test_reports_and_wishes_that_no_longer_fit_decide_nothing() -> None:
    world, item = world_with()
    world.held = {"plan"}
    world.go()
    run = world.run(item).id
    for command in (cmd.Defer(run=run), cmd.Defer(run="NONE.1"), cmd.ReportFlushed(run=run, head="h")):
        assert not decide(world.state, command, world.now_us).drafts


def gone_back() -> tuple[World, str]:
    """A world whose item had two phases done, not committed yet, when somebody took it back to the first."""
    world, item = world_with("plan", "check", "last")
    world.held = {"last"}
    world.go()
    world.ask(calls.ItemAdvance(id=item, to="plan", force=True))
    return world, item


def test_what_waits_is_committed_as_it_was_also_when_its_phases_are_gone_back_over() -> None:
    world, item = gone_back()
    run = world.run(item)
    assert (run.uncommitted, run.until_attempt) == (("plan", "check"), f"{item}.1.check.1")
    world.ask(calls.ItemCancel(id=item))
    world.settle()
    created = [each.data for each in world.records if isinstance(each.data, ev.CommitCreated)]
    (flushed,) = [each for each in created if not each.deferred]
    assert (flushed.phase, flushed.attempt, flushed.tree) == ("check", run.until_attempt, run.until_tree)
    assert item in world.state.ended
    assert picture(world.replay()) == picture(world.state)


def test_phases_that_were_gone_back_over_are_done_again_after_what_waited_is_committed() -> None:
    world, item = gone_back()
    world.script["plan"] = [End(result={"result": "blocked", "question": "?"})]
    world.settle()
    assert world.run(item).uncommitted == ()
    assert [phase.commit for phase in world.run(item).phases] == ["", "", ""]
    world.decide(item, "answer", "yes")
    world.held = set()
    world.settle()
    assert world.status(item) == "done"
    assert commits(world) == [
        ("plan", True),
        ("check", True),
        ("check", False),
        *[("plan", True), ("check", True)],
        ("last", False),
    ]


def test_phases_that_wait_twice_are_committed_once_with_what_was_done_last() -> None:
    world, item = gone_back()
    world.script["check"] = [End(result={"result": "blocked", "question": "?"})]
    world.settle()
    created = [each.data for each in world.records if isinstance(each.data, ev.CommitCreated)]
    assert [(each.phase, each.attempt) for each in created[-2:]] == [("plan", f"{item}.1.plan.2")] * 2
    assert created[-1].tree == created[-2].tree
    assert world.run(item).phases[0].commit == created[-1].commit != ""
