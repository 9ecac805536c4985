"""Advance: from every moment of an item's life to every phase, by a person; the tree stays as it is."""

from __future__ import annotations

from typing import Any, Final

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Workspace
from golemd.api.faults import Fault
from golemd.api.model import AttemptState, Outcome, RunState, Stage, Status
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core import prompt
from golemd.core.decide import decide
from golemd.core.decide.common import NOTHING
from golemd.core.scheduler import why
from golemd.core.slots import Tally
from tests.core.moments import ALL, ITEM, MOMENTS, WAITS, at, finish, step_until
from tests.core.world import ALICE, End, World, config, phase, picture

LIVE: Final = ("planned", "running", "exited", "verify planned", "verify running", "verify exited")
OUTSIDE: Final = ("scoping", "ready")
INSIDE: Final = tuple(each for each in ALL if each not in OUTSIDE)
TARGETS: Final = ("", "plan", "build", "ship")
PASSED: Final = {"in progress": 0, "between phases": 2}  # phases behind the item; in the rest of the moments one


def advance(world: World, to: str = "", *, force: bool = True) -> str:
    return world.ask(calls.ItemAdvance(id=ITEM, to=to, force=force)).note


def refused(world: World, to: str = "", *, force: bool = False) -> Fault:
    before = picture(world.state)
    with pytest.raises(Fault) as caught:
        advance(world, to, force=force)
    assert picture(world.state) == before
    assert caught.value.hint
    return caught.value


def states(world: World) -> list[str]:
    return [str(each.state) for each in world.run(ITEM).phases if each.name != "scope"]


# --- the table: from where, and where to ----------------------------------------------------------------------------


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("moment", INSIDE)
def test_the_phases_before_are_as_they_were_those_passed_over_are_skipped_and_the_rest_is_pending(
    moment: str, to: str
) -> None:
    world = at(moment, "plan")
    behind = PASSED.get(moment, 1)
    names = ["plan", "build", "ship"]
    target = names.index(to) if to else behind + 1
    advance(world, to)
    if target == len(names):
        assert world.state.known(ITEM).status is Status.DONE
        assert states_of_done(world) == ["completed"] * behind + ["skipped"] * (3 - behind)
    elif moment != "in progress" or target:
        passed = ["completed"] * min(behind, target) + ["skipped"] * max(0, target - behind)
        assert states(world) == passed + ["pending"] * (3 - target)
        assert (world.run(ITEM).phase.name, world.status(ITEM)) == (names[target], "in_progress")
    assert world.state.open_gates(ITEM) == []
    assert world.halt_reason() == "on"
    assert picture(world.replay()) == picture(world.state)
    finish(world)


def states_of_done(world: World) -> list[str]:
    run = world.partial(ITEM).runs[f"{ITEM}.1"]
    return [str(each.state) for each in run.phases if each.name != "scope"]


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("moment", LIVE)
def test_what_runs_is_ended_first_and_counts_for_nothing(moment: str, to: str) -> None:
    world = at(moment, "plan")
    attempt = world.run(ITEM).live
    assert advance(world, to) == f"its attempt {attempt} is asked to end"
    assert Tally.of(world.state).slots == {"demo": 1}, "it holds its slot until it has ended"
    before = len(world.records)
    world.calm()
    fresh = [record.type for record in world.records[before:]]
    ended = world.state.attempts[attempt]
    assert (ended.state, ended.outcome) == (AttemptState.REJECTED, "cancelled")
    if "phase.started" in fresh:
        assert fresh.index("attempt.rejected") < fresh.index("phase.started"), "nothing starts before it has ended"
    assert "attempt.accepted" not in fresh
    assert "evidence.recorded" not in fresh
    finish(world)
    assert picture(world.replay()) == picture(world.state)


@pytest.mark.parametrize("moment", LIVE)
def test_without_force_a_running_attempt_is_left_alone(moment: str) -> None:
    world = at(moment)
    fault = refused(world)
    assert (fault.code, fault.data) == ("attempt_running", {"attempt": world.run(ITEM).live})
    assert f"golemctl advance {ITEM} --force" in fault.hint


@pytest.mark.parametrize("moment", [each for each in INSIDE if each not in LIVE])
def test_where_nothing_runs_no_force_is_needed(moment: str) -> None:
    world = at(moment)
    assert advance(world, "ship", force=False) in ("", f"{ITEM} is at ship already")


@pytest.mark.parametrize("moment", OUTSIDE)
def test_an_item_that_is_not_in_progress_is_refused(moment: str) -> None:
    fault = refused(at(moment), force=True)
    assert fault.code == "not_in_progress"
    assert f"{ITEM} is {moment}" in fault.message


def test_one_that_is_blocked_before_promotion_is_refused() -> None:
    world = World()
    world.project(config(pre=("scope",)))
    world.add()
    world.script["scope"] = [End(result={"result": "blocked"})]
    world.go()
    assert refused(world).code == "not_in_progress"


@pytest.mark.parametrize(("item", "code"), [("DEMO-9", "item_not_found"), (ITEM, "item_ended")])
def test_unknown_and_ended_items_are_refused(item: str, code: str) -> None:
    world = at("running")
    world.ask(calls.ItemCancel(id=ITEM))
    with pytest.raises(Fault) as caught:
        world.ask(calls.ItemAdvance(id=item))
    assert caught.value.code == code


@pytest.mark.parametrize("named", ["nope", "scope"])
def test_an_unknown_phase_is_refused_with_the_list(named: str) -> None:
    world = World()
    world.project(config(phases=("plan", "build"), pre=("scope",)))
    world.add()
    world.held = {"plan"}
    world.go()
    fault = refused(world, named, force=True)
    assert (fault.code, fault.hint) == ("unknown_phase", "Its phases: plan, build.")
    assert fault.data == {"phases": ["plan", "build"]}


# --- going on ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", WAITS)
def test_open_gates_of_the_phase_that_is_left_are_superseded(moment: str) -> None:
    world = at(moment)
    (gate,) = world.state.open_gates(ITEM)
    advance(world)
    assert world.state.gates[gate.id].superseded
    assert world.run(ITEM).state is RunState.EXECUTING
    finish(world)


def test_it_is_recorded_who_advanced_what() -> None:
    world = at("approval")
    advance(world)
    (skipped,) = (each.data for each in world.records if isinstance(each.data, ev.PhaseSkipped))
    assert (skipped.phase, skipped.reason, skipped.actor) == ("build", "advanced to ship", ALICE)
    advance(world, "build")
    reset = [each.data for each in world.records if isinstance(each.data, ev.PhaseReset)]
    assert [(each.phase, each.reason, each.actor, each.back) for each in reset] == [
        ("ship", "taken back to build", ALICE, True),
        ("build", "taken back to build", ALICE, True),
    ]


def test_advancing_over_the_last_phase_completes_the_run_at_its_commit_and_a_paused_one_when_it_is_resumed() -> None:
    for paused in (False, True):
        world = at("between phases")
        head = world.heads[f"{ITEM}.1"]
        if paused:
            world.ask(calls.Pause(id=ITEM))
            advance(world)
            assert states(world) == ["completed", "skipped"]
            assert refused(world).code == "no_phase_left"
            assert refused(world, "nope").code == "unknown_phase"
            world.ask(calls.Resume(id=ITEM))
        else:
            advance(world)
        (completed,) = (each.data for each in world.records if isinstance(each.data, ev.RunCompleted))
        assert completed.commit == head
        world.settle()
        assert world.state.ended[ITEM].resolution == "completed"


def test_one_that_is_through_and_paused_can_go_back() -> None:
    world = at("between phases")
    world.ask(calls.Pause(id=ITEM))
    advance(world)
    advance(world, "build")
    assert states(world) == ["pending", "pending"]
    world.ask(calls.Resume(id=ITEM))
    finish(world)


def test_where_it_stands_and_has_not_begun_nothing_is_to_do() -> None:
    world = at("between phases")
    before = picture(world.state)
    assert advance(world, "ship") == f"{ITEM} is at ship already"
    assert picture(world.state) == before
    world = at("in progress")
    before = picture(world.state)
    assert advance(world, "build") == f"{ITEM} is at build already"
    assert picture(world.state) == before


def test_a_dispatch_that_had_halted_for_want_of_a_human_goes_on_and_one_that_was_stopped_does_not() -> None:
    world = at("question")
    world.settle()
    assert world.halt_reason() == "all_done_or_blocked"
    advance(world)
    assert world.halt_reason() == "on"
    world.ask(calls.RunStop())
    advance(world, "build")
    assert world.halt_reason() == "stopped"


def test_a_phase_that_is_done_again_has_full_budgets_another_conversation_and_its_approvals_are_asked_again() -> None:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)), "ship"), max_retries=1))
    world.add()
    world.talks, world.held = True, {"ship"}
    world.script["build"] = [End(result=None), End(tree="same"), End(tree="same")]
    world.go()
    world.decide(ITEM, "approve", content=world.content(ITEM))
    world.settle()
    session = world.run(ITEM).phases[0].session
    advance(world, "build")
    build = world.run(ITEM).phase
    assert (build.retries, build.number, build.session, build.approvals, build.commit) == (0, 2, "", (), "")
    world.settle()
    assert world.gate(ITEM).kind == "approval"
    third = world.state.attempts[f"{ITEM}.1.build.3"]
    assert third.session not in ("", session)
    text = prompt.prompt_for(world.state, world.run(ITEM), 3)
    assert "## A human took the item to this phase.\n\nIt had come to ship; what was done until then is in" in text
    assert "This phase ended before with: did it" in text


def test_the_conversation_of_an_attempt_that_ends_late_is_not_gone_on_with() -> None:
    world = at("running")
    world.talks = True
    advance(world, "build")
    late = End(result=None, reason="stopped", said=cmd.Said(session="late"))
    world.end(f"{ITEM}.1.build.1", late)
    step_until(world, lambda world: world.run(ITEM).live == f"{ITEM}.1.build.2")
    assert world.run(ITEM).phase.session == ""


def test_what_a_phase_leaves_uncommitted_is_told_to_the_next_one_and_is_part_of_its_commit() -> None:
    world = at("question")
    begun_at = world.run(ITEM).phase.base_tree
    advance(world)
    world.held = {"ship"}
    world.settle()
    assert world.run(ITEM).phase.base_tree == begun_at
    assert "build was left out after it had begun; what it did is in the tree." in prompt.prompt_for(
        world.state, world.run(ITEM), 1
    )


def test_over_several_phases_it_is_told_to_the_one_that_comes() -> None:
    world = World()
    world.project(config(phases=("one", "two", "three")))
    world.add()
    world.script["one"] = [End(result={"result": "blocked"})]
    world.go()
    begun_at = world.run(ITEM).phase.base_tree
    advance(world, "three")
    assert world.run(ITEM).phase.base_tree == begun_at
    assert [note.text.split()[0] for note in world.run(ITEM).phase.notes] == ["one"]


def test_a_tree_that_is_to_be_put_back_is_before_the_next_phase_begins() -> None:
    for to in ("ship", "build"):
        world = at("failed")
        advance(world, to)
        before = len(world.records)
        world.calm()
        fresh = [record.type for record in world.records[before:]]
        assert fresh.index("work.kept") < fresh.index("attempt.planned")


def test_an_effect_that_still_works_in_the_tree_is_waited_for() -> None:
    world = at("verified")
    (commit,) = world.plan().effects
    assert isinstance(commit, planning.Commit)
    world.in_flight.add(commit.key)
    advance(world, "ship")
    world.calm()
    assert world.run(ITEM).phase.stage is Stage.ENTER
    assert f"{ITEM}.1.ship.1" not in world.state.attempts
    report = cmd.ReportCommitted(run=f"{ITEM}.1", attempt=f"{ITEM}.1.build.1", head="late", tree="t", commit="late")
    world.apply(report)
    world.in_flight.clear()
    assert (world.run(ITEM).head, world.run(ITEM).phases[0].commit, states(world)[0]) == ("late", "late", "skipped")
    assert decide(world.state, report, world.now_us) is NOTHING
    world.heads[f"{ITEM}.1"] = "late"
    finish(world)


def test_a_commit_made_by_hand_is_where_the_next_phase_begins() -> None:
    world = at("question")
    world.heads[f"{ITEM}.1"] = "by hand"
    advance(world)
    world.held = {"ship"}
    world.settle()
    assert (world.run(ITEM).head, world.run(ITEM).phase.start_head) == ("by hand", "by hand")


# --- what ends late ----------------------------------------------------------------------------------------------


def late(world: World, **fields: Any) -> None:
    world.end(f"{ITEM}.1.build.1", End(**fields))
    world.calm()


@pytest.mark.parametrize("how", [{}, {"result": b"{"}, {"trouble": "rewritten"}, {"lost": True}, {"reason": "timeout"}])
def test_however_it_ends_it_fails_nothing(how: dict[str, Any]) -> None:
    world = at("running")
    advance(world)
    assert "its attempt DEMO-1.1.build.1 is still being ended" in str(
        why(world.state, world.item(ITEM), world.limits, world.now_us)
    )
    late(world, **how)
    assert world.state.open_gates(ITEM) == []
    assert world.run(ITEM).phase.name == "ship"
    assert f"{ITEM}.1.ship.1" in world.state.attempts


def test_one_that_is_lost_for_the_last_time_opens_no_gate() -> None:
    world = at("running")
    for number in range(1, 4):
        world.end(f"{ITEM}.1.build.{number}", End(lost=True))
        world.calm()
    advance(world)
    world.end(f"{ITEM}.1.build.4", End(lost=True))
    assert world.state.open_gates(ITEM) == []


@pytest.mark.parametrize("usable", [True, False])
def test_one_that_could_not_be_started_any_more_opens_no_gate(usable: bool) -> None:
    world = at("planned")
    advance(world)
    world.apply(cmd.ReportNotSpawned(attempt=f"{ITEM}.1.build.1", message="m", usable=usable))
    assert world.state.attempts[f"{ITEM}.1.build.1"].outcome == Outcome.CANCELLED
    finish(world)


@pytest.mark.parametrize("state", [AttemptState.PLANNED, AttemptState.SPAWNED, AttemptState.EXITED])
@pytest.mark.parametrize("to", ["", "build"])
def test_a_worktree_that_is_being_set_up_is_set_up_again_for_the_phase_that_comes(state: AttemptState, to: str) -> None:
    world = World()
    world.project(config(phases=("build", "ship"), bootstrap=Workspace(setup=("install", "link"))))
    world.add()
    world.start()
    first = f"{ITEM}.1.build.setup_1.1"
    step_until(world, lambda world: first in world.state.attempts and world.state.attempts[first].state is state)
    advance(world, to)
    world.settle()
    assert world.state.known(ITEM).status is Status.DONE
    planned = [each.data.attempt for each in world.records if isinstance(each.data, ev.AttemptPlanned)]
    where, again = ("build", 2) if to else ("ship", 1)
    assert planned[:3] == [first, f"{ITEM}.1.{where}.setup_1.{again}", f"{ITEM}.1.{where}.setup_2.{again + 1}"]
    assert len(set(planned)) == len(planned)


def test_after_a_restart_it_is_ended_before_anything_begins() -> None:
    world = at("running")
    advance(world)
    world.restart()
    assert [type(each) for each in world.plan().effects] == [planning.Watch, planning.Stop]
    finish(world)


def test_over_the_end_a_running_attempt_is_ended_too() -> None:
    world = at("between phases")
    step_until(world, lambda world: bool(world.running()))
    advance(world)
    assert world.status(ITEM) == "done"
    assert planning.Stop(f"{ITEM}.1.ship.1") in world.plan().effects
    world.settle()
    assert ITEM in world.state.ended


def test_every_moment_is_tried() -> None:
    assert {*OUTSIDE, *INSIDE} == set(ALL)
    assert set(LIVE) <= set(MOMENTS)
