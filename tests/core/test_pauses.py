"""Pause and resume: at every moment of an item's life nothing more is started, and it goes on where it was."""

from __future__ import annotations

from typing import Any, Final

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Workspace
from golemd.api.faults import Fault
from golemd.api.model import AttemptState, Content, GateKind, PhaseState
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core import present, prompt
from golemd.core.decide import decide
from golemd.core.decide.common import NOTHING
from golemd.core.present import Clock, item_view, run_view, why_view
from golemd.core.scheduler import why
from golemd.core.slots import Limits, Tally
from tests.core.moments import ALL, ITEM, MOMENTS, WAITS, at, finish, step_until, world_of
from tests.core.world import SECOND, End, World, config, phase, picture


def pause(world: World, item: str = ITEM, *, after_phase: bool = False) -> str:
    return world.ask(calls.Pause(id=item, after_phase=after_phase)).note


def resume(world: World, item: str = ITEM) -> str:
    return world.ask(calls.Resume(id=item)).note


def words(world: World, item: str = ITEM, limits: Limits | None = None) -> str:
    return str(why(world.state, world.item(item), limits or world.limits, world.now_us))


def crowded_out(world: World, limits: Limits, *in_flight: str) -> frozenset[str]:
    return Tally.of(world.state, frozenset(in_flight)).crowded_out(world.state, limits)


STARTS: Final = ("attempt.planned", "attempt.spawned", "phase.started", "run.created", "item.completed")


@pytest.fixture(params=ALL)
def moment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_paused_item_starts_nothing_whatever_it_was_at_and_goes_on_to_its_end(moment: str) -> None:
    world = at(moment)
    status = world.status(ITEM)
    pause(world)
    before = len(world.records)
    world.now_us += 3600 * SECOND
    world.settle()
    assert not [each.type for each in world.records[before:] if each.type in STARTS]
    assert world.running() == []
    assert world.item(ITEM).is_held
    assert world.status(ITEM) == ("blocked" if moment in WAITS else status), "pausing is no status"
    assert world.halt_reason() == "all_done_or_blocked"
    assert Tally.of(world.state) == Tally({"demo": 0}, {}, [])
    assert world.goes_on_at is None or moment == "parked"
    assert picture(world.replay()) == picture(world.state)
    resume(world)
    assert not world.item(ITEM).paused
    assert world.halt_reason() == "on"
    finish(world)


@pytest.mark.parametrize("moment", [*MOMENTS])
def test_a_pause_costs_nothing(moment: str) -> None:
    def spent(world: World) -> list[tuple[int, ...]]:
        run = world.run(ITEM)
        return [(each.retries, each.fixes, each.transient_in_row, each.lost_in_row) for each in run.phases]

    usual, paused = at(moment), at(moment)
    paused.script, usual.script = {}, {}
    pause(paused)
    paused.settle()
    usual.settle()
    resume(paused)
    paused.settle()
    assert spent(paused) == spent(usual)
    used = [each.state.projects["demo"].dispatch.used for each in (usual, paused)]
    assert used[0] == used[1], "an interrupted attempt starts no new phase"


def test_a_restart_changes_nothing_for_a_paused_item(moment: str) -> None:
    world = at(moment)
    pause(world)
    world.restart()
    before = len(world.records)
    world.settle()
    assert not [each.type for each in world.records[before:] if each.type in STARTS]
    resume(world)
    finish(world)


def test_it_can_be_paused_and_resumed_twice_and_each_repetition_says_so(moment: str) -> None:
    world = at(moment)
    pause(world)
    before = picture(world.state)
    assert pause(world) == f"{ITEM} is paused already"
    assert pause(world, after_phase=True) == f"{ITEM} is paused already"
    assert picture(world.state) == before
    resume(world)
    before = picture(world.state)
    assert resume(world) == f"{ITEM} is not paused"
    assert picture(world.state) == before


def test_why_says_paused(moment: str) -> None:
    world = at(moment)
    pause(world)
    world.settle()
    if moment in WAITS:
        assert words(world).startswith(f"{ITEM} waits for you: ")
    else:
        assert words(world).endswith(f"does not run: it is paused; golemctl resume {ITEM} goes on with it.")


# --- its agent and its conversation ------------------------------------------------------------------------------


def test_the_agent_is_asked_to_end_and_its_conversation_is_gone_on_with() -> None:
    world = world_of()
    world.talks, world.held = True, {"build"}
    world.go()
    session = world.run(ITEM).phase.session
    assert pause(world) == "its attempt DEMO-1.1.build.1 is asked to end; what it has done is kept"
    assert "it is paused" in words(world), "also while it is still ending"
    assert [type(each) for each in world.plan().effects] == [planning.Stop]
    world.settle()
    ended = world.state.attempts["DEMO-1.1.build.1"]
    assert (ended.state, ended.outcome) == (AttemptState.REJECTED, "cancelled")
    assert not world.run(ITEM).phase.put_back, "the tree stays as it is"
    resume(world)
    world.calm()
    (attempt,) = world.running()
    assert (attempt.number, attempt.session) == (2, session)
    assert "was interrupted; what it left in the tree is still there" in prompt.prompt_for(
        world.state, world.run(ITEM), 2
    )


def test_one_that_finished_while_it_was_being_paused_has_done_its_work() -> None:
    world = at("running")
    pause(world)
    world.end("DEMO-1.1.build.1")
    world.settle()
    assert world.run(ITEM).phase.state is PhaseState.VERIFYING
    resume(world)
    world.settle()
    assert world.run(ITEM).phase.number == 1


def test_what_was_being_entered_is_bound_and_entered_again() -> None:
    world = at("entering")
    (enter,) = world.plan().effects
    pause(world)
    world.carry_out(enter)
    assert world.types()[-1] == "run.bound"
    world.carry_out(enter)
    assert world.types()[-1] == "run.bound", "what is bound is not bound again"
    world.settle()
    resume(world)
    world.calm()
    assert world.run(ITEM).phase.number == 1


@pytest.mark.parametrize("state", [AttemptState.PLANNED, AttemptState.SPAWNED, AttemptState.EXITED])
def test_a_worktree_that_is_being_set_up_is_paused_too(state: AttemptState) -> None:
    world = World()
    world.project(config(bootstrap=Workspace(setup=("install",))))
    world.add()
    world.start()
    first = f"{ITEM}.1.build.setup_1.1"
    step_until(world, lambda world: first in world.state.attempts and world.state.attempts[first].state is state)
    pause(world)
    world.settle()
    assert (world.running(), world.types().count("attempt.planned")) == ([], 1)
    resume(world)
    finish(world)


@pytest.mark.parametrize("moment", ["ready", "in progress", "accepted"])
def test_what_the_daemon_wished_before_is_not_admitted_after(moment: str) -> None:
    world = at(moment)
    pause(world)
    for wish in (cmd.Promote(item=ITEM), cmd.Launch(item=ITEM), cmd.PlanVerify(run=f"{ITEM}.1")):
        assert decide(world.state, wish, world.now_us) is NOTHING


# --- after the phase ---------------------------------------------------------------------------------------------


def test_after_its_phase_an_item_is_paused_and_not_before() -> None:
    world = world_of()
    world.script["build"] = [End(result={"result": "subphase_complete"}), End(result=None)]
    world.script["make"] = [End(status=1)]
    world.start()
    world.calm()
    assert pause(world, after_phase=True) == f"{ITEM} is to be paused when its phase build has ended"
    assert pause(world, after_phase=True) == f"{ITEM} is already to be paused when its phase build has ended"
    running = why_view(world.state, world.item(ITEM), Clock(world.now_us, world.limits))
    assert running.why == f"{ITEM} is running: phase build. It is paused when this phase has ended."
    assert Tally.of(world.state) == Tally({"demo": 1}, {"demo": 1}, [])
    world.settle()
    assert world.gate(ITEM).kind is GateKind.APPROVAL, "rounds, retries and fixes belong to the phase"
    assert world.item(ITEM).is_held
    world.decide(ITEM, "approve", content=world.content(ITEM))
    world.settle()
    assert (world.run(ITEM).index, world.run(ITEM).phase.state) == (1, PhaseState.PENDING)
    resume(world)
    world.settle()
    assert world.status(ITEM) == "done"


@pytest.mark.parametrize("moment", ["scoping", "ready", "in progress", *WAITS, "between phases"])
def test_an_item_with_no_phase_under_way_is_paused_at_once(moment: str) -> None:
    world = at(moment)
    pause(world, after_phase=True)
    assert world.item(ITEM).is_held


def test_a_phase_that_is_to_be_done_again_is_under_way() -> None:
    world = at("approval")
    world.decide(ITEM, "request_changes", "bluer", content=world.content(ITEM))
    pause(world, after_phase=True)
    world.settle()
    assert (world.run(ITEM).phase.number, world.item(ITEM).is_held) == (2, True)


def test_the_last_phase_ends_with_its_item() -> None:
    world = world_of()
    world.held = {"ship"}
    world.go()
    world.decide(ITEM, "approve", content=world.content(ITEM))
    world.settle()
    pause(world, after_phase=True)
    assert world.item(ITEM).paused
    world.held = set()
    world.settle()
    assert world.status(ITEM) == "done"


def test_before_promotion_the_item_becomes_ready_and_stays_there() -> None:
    world = world_of(pre=("scope",))
    world.held = {"scope"}
    world.go()
    pause(world, after_phase=True)
    world.held = set()
    world.settle()
    assert (world.status(ITEM), world.item(ITEM).is_held) == ("ready", True)
    resume(world)
    world.settle()
    assert world.gate(ITEM).phase == "build"


def test_a_skipped_phase_has_ended_too() -> None:
    world = at("running")
    pause(world, after_phase=True)
    world.happen(ev.PhaseSkipped(run=f"{ITEM}.1", phase="build"), ITEM)
    assert world.item(ITEM).is_held


def test_what_was_to_be_paused_later_is_paused_now_or_not_at_all() -> None:
    world = at("running")
    pause(world, after_phase=True)
    assert "is asked to end" in pause(world)
    assert world.item(ITEM).is_held
    world = at("running")
    pause(world, after_phase=True)
    assert resume(world) == ""
    assert not world.item(ITEM).paused


# --- gates, ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "option"),
    [("approval", "request_changes"), ("question", "answer"), ("failure", "retry"), ("failure", "skip")],
)
def test_a_gate_can_be_decided_meanwhile_and_takes_effect_when_it_is_resumed(moment: str, option: str) -> None:
    world = at(moment)
    pause(world)
    world.decide(ITEM, option, "blue")
    before = len(world.records)
    world.settle()
    assert not [each.type for each in world.records[before:] if each.type in STARTS]
    assert world.status(ITEM) == "in_progress"
    resume(world)
    finish(world)


@pytest.mark.parametrize(("moment", "option"), [("approval", "reject"), ("question", "abort")])
def test_an_end_takes_effect_at_once(moment: str, option: str) -> None:
    world = at(moment)
    pause(world)
    world.decide(ITEM, option)
    world.settle()
    assert world.status(ITEM) == "cancelled"


def test_the_last_approval_of_a_paused_run_completes_it_when_it_is_resumed() -> None:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)),)))
    world.add()
    later = world.add(dependencies=(ITEM,))
    world.go()
    pause(world)
    world.decide(ITEM, "approve", content=world.content(ITEM))
    world.settle()
    assert [each.state for each in world.run(ITEM).phases] == [PhaseState.COMPLETED]
    assert (world.status(ITEM), world.status(later)) == ("in_progress", "ready")
    head = world.heads[f"{ITEM}.1"]
    resume(world)
    (completed,) = (each.data for each in world.records if isinstance(each.data, ev.RunCompleted))
    assert completed.commit == head
    world.settle()
    world.decide(later, "approve", content=world.content(later))
    assert world.status(later) == "done"


def test_a_paused_item_can_be_cancelled_and_begins_anew_when_it_is_reopened() -> None:
    world = at("running")
    pause(world)
    world.ask(calls.ItemCancel(id=ITEM))
    view = item_view(world.state, world.item(ITEM), Clock(world.now_us, world.limits))
    assert (view.status, view.paused) == ("cancelled", False)
    world.settle()
    with pytest.raises(Fault) as refused:
        pause(world)
    assert refused.value.code == "item_ended"
    with pytest.raises(Fault) as refused:
        resume(world)
    assert refused.value.code == "item_ended"
    world.reopen(ITEM)
    assert not world.item(ITEM).paused
    assert world.halt_reason() == "all_done_or_blocked"


def test_a_dispatch_that_was_stopped_is_not_turned_on_by_a_resume() -> None:
    world = at("running")
    pause(world)
    world.ask(calls.RunStop())
    resume(world)
    assert world.halt_reason() == "stopped"


# --- room for others ---------------------------------------------------------------------------------------------


def test_a_paused_item_holds_no_place_in_progress() -> None:
    world = world_of(2, max_wip=1)
    world.held = {"build"}
    world.go()
    assert [each.item for each in world.running()] == [ITEM]
    pause(world)
    world.settle()
    assert [each.item for each in world.running()] == ["DEMO-2"]
    assert Tally.of(world.state).wip == {"demo": 1}


@pytest.mark.parametrize("moment", ["entering", "accepted", "verify planned"])
def test_one_that_is_resumed_waits_until_it_has_a_slot_again(moment: str) -> None:
    world = at(moment)
    tight = config(
        phases=(phase("build", verify=("make",), gate=("approval",)), "ship"),
        max_concurrent=1,
    )
    world.configure(tight)
    pause(world)
    world.settle()
    world.held = {"build"}
    world.start()
    other = world.add()
    world.settle()
    assert [each.item for each in world.running()] == [other]
    resume(world)
    assert crowded_out(world, world.limits) == {f"{ITEM}.1"}
    world.settle()
    assert [each.item for each in world.running()] == [other]
    assert words(world).endswith("does not run: 1 of 1 slots are taken (max_concurrent).")
    world.held = set()
    finish(world)


def test_the_slots_of_all_projects_count_for_one_that_is_resumed() -> None:
    world = at("accepted")
    world.limits = Limits(1, 9)
    pause(world)
    world.settle()
    world.project(config("two"))
    world.held = {"build"}
    world.add(project="two")
    world.go(project="two")
    resume(world)
    world.settle()
    assert [each.item for each in world.running()] == ["TWO-1"]
    assert words(world).endswith("does not run: 1 agents run in all projects (max_agents).")
    world.ask(calls.ItemCancel(id="TWO-1"))
    assert crowded_out(world, world.limits) == {f"{ITEM}.1"}, "a process that is still ending has its slot"
    world.settle()
    assert world.status(ITEM) == "blocked"


def test_an_attempt_that_is_just_being_started_has_its_slot() -> None:
    world = at("accepted")
    pause(world)
    other = world.add()
    step_until(world, lambda world: f"{other}.1.build.1" in world.state.attempts)
    resume(world)
    tight = Limits(1, 9)
    assert crowded_out(world, tight) == {f"{other}.1"}, "what is furthest goes first"
    world.happen(ev.ItemEdited(priority=-1), ITEM)
    assert crowded_out(world, tight) == {f"{ITEM}.1"}
    world.happen(ev.ItemEdited(priority=1), ITEM)
    assert crowded_out(world, tight, f"attempt:{other}.1.build.1") == {f"{ITEM}.1"}


# --- all of a project --------------------------------------------------------------------------------------------


def test_all_items_of_one_project_are_paused_and_resumed_together() -> None:
    world = world_of(3)
    world.project(config("two"))
    world.add(project="two")
    world.held = {"build"}
    world.go(project="demo")
    pause(world, "DEMO-2")
    world.ask(calls.ItemCancel(id="DEMO-3"))
    assert world.ask(calls.Pause(project="demo", after_phase=True)).note == "DEMO-1"
    assert world.ask(calls.Pause(project="demo")).note == "DEMO-1"
    assert [each.id for each in world.state.items.values() if each.paused] == ["DEMO-1", "DEMO-2"]
    assert world.ask(calls.Pause(project="demo")) == NOTHING
    world.settle()
    assert world.halt_reason() == "all_done_or_blocked"
    decided = world.ask(calls.Resume(project="demo"))
    assert decided.note == "DEMO-1 DEMO-2"
    assert [draft.event.TYPE for draft in decided.drafts] == ["run.resumed", "run.resumed", "dispatch.started"]
    assert world.ask(calls.Resume(project="demo")) == NOTHING


def test_without_an_id_a_project_must_be_plain() -> None:
    world = world_of()
    assert world.ask(calls.Pause()).note == ITEM
    world.project(config("two"))
    for call in (calls.Pause(), calls.Resume()):
        with pytest.raises(Fault) as refused:
            world.ask(call)
        assert refused.value.code == "project_needed"


def test_an_unknown_item_is_refused() -> None:
    world = world_of()
    for call in (calls.Pause(id="DEMO-9"), calls.Resume(id="DEMO-9")):
        with pytest.raises(Fault) as refused:
            world.ask(call)
        assert refused.value.code == "item_not_found"


# --- how it is shown ---------------------------------------------------------------------------------------------


def test_views_say_paused_and_what_the_run_goes_on_with() -> None:
    world = at("approval")
    clock = Clock(world.now_us, world.limits)

    def shown() -> tuple[Any, ...]:
        item = item_view(world.state, world.item(ITEM), clock)
        run = run_view(world.state, world.run(ITEM))
        return item.status, item.paused, item.pauses_after, run.state, run.paused_in

    assert shown() == ("blocked", False, None, "awaiting", None)
    pause(world)
    assert shown() == ("blocked", True, None, "paused", "awaiting")
    resume(world)
    world.decide(ITEM, "request_changes", "more", content=Content(commit="c", tree="t"))
    world.decide(ITEM, "request_changes", "more", content=Content(commit="c", tree="t"))
    world.calm()
    pause(world, after_phase=True)
    assert shown() == ("in_progress", False, "build", "executing", None)
    assert present.run_view(world.state, world.run(ITEM)).state == "executing"
