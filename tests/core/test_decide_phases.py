"""Phases: scoping, entering, verify and its fix loop, rounds, commit, trouble, and what comes after a phase."""

from __future__ import annotations

from typing import Any

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import ProjectConfig
from golemd.api.model import PhaseState, RunState, Stage, Status
from golemd.core import commands as cmd
from golemd.core import prompt
from golemd.core.configuration import digest
from golemd.core.decide import decide
from golemd.core.decide.common import NOTHING
from tests.core.world import NOON, End, World, config, phase, picture

RED = End(status=1, lines=("E assert 1 == 2",))


def made(world: World, settings: ProjectConfig | None = None) -> str:
    world.project(settings)
    return world.add()


def verified(*ends: End, **execution: Any) -> tuple[World, str]:
    world = World()
    item = made(world, config(phases=(phase("build", verify=("make", "lint")),), **execution))
    world.script["make"] = list(ends)
    world.go()
    return world, item


# --- the way of an item ------------------------------------------------------------------------------------------


def test_an_item_goes_through_pre_phases_promotion_and_phases_to_done() -> None:
    world = World()
    item = made(world, config(pre=("research", "design"), phases=("build", "review")))
    assert world.status(item) == "scoping"
    world.go()
    assert world.state.ended[item].resolution == "completed"
    moves = [record.data.to for record in world.records if isinstance(record.data, ev.ItemMoved)]
    assert moves == [Status.READY, Status.IN_PROGRESS]
    started = [record.data.phase for record in world.records if isinstance(record.data, ev.PhaseStarted)]
    assert started == ["research", "design", "build", "review"]


def test_an_item_that_needs_no_scoping_passes_over_the_pre_phases() -> None:
    world = World()
    item = made(world, config(pre=("research",)))
    world.ask(calls.ItemCancel(id=item))
    world.happen(ev.ItemReopened(status=Status.READY), item)
    world.go()
    assert [record.data.phase for record in world.records if isinstance(record.data, ev.PhaseSkipped)] == ["research"]
    assert world.status(item) == "done"


def test_an_item_in_scoping_whose_pipeline_lost_its_pre_phases_is_ready() -> None:
    world = World()
    item = made(world, config(pre=("research",)))
    world.configure(config(phases=("build",)))
    world.held = {"build"}
    world.go()
    assert world.status(item) == "in_progress", "phases count as work in progress, never as scoping"


def test_a_run_is_bound_when_its_first_phase_starts_and_a_later_configuration_leaves_it() -> None:
    world = World()
    item = made(world, config(pre=("scope",), phases=("build", "ship")))
    world.held = {"build"}
    world.go()
    world.configure(config(phases=("other",)))
    (bound,) = [record.data for record in world.records if isinstance(record.data, ev.RunBound)]
    assert (bound.base_branch, bound.branch, bound.workspace) == ("main", f"golem/{item}", f"/trees/{item}")
    assert bound.pipeline_digest == digest(bound.pipeline)
    assert bound.bindings == {"robot": digest(config().agents["robot"])}
    assert bound.pipeline.phases[0].agent == "robot", "what the project says is filled in"
    world.held = set()
    world.settle()
    assert [record.data.phase for record in world.records if isinstance(record.data, ev.PhaseStarted)][-1] == "ship"


def test_a_base_that_was_taken_afresh_is_bound_again() -> None:
    world = World()
    item = made(world)
    world.start()
    world.step()
    report = cmd.ReportEntered(
        run=f"{item}.1", base_branch="main", base_commit="b2", branch="x", workspace="/w", head="b2", tree="t"
    )
    assert [draft.event.TYPE for draft in decide(world.state, report, NOON).drafts] == ["run.bound", "attempt.planned"]


def test_two_runs_of_an_item_have_numbers_of_their_own() -> None:
    world = World()
    item = made(world)
    world.go()
    world.reopen(item)
    world.go()
    assert [record.data.run for record in world.records if isinstance(record.data, ev.RunCreated)] == [
        f"{item}.1",
        f"{item}.2",
    ]


# --- verify and fix ----------------------------------------------------------------------------------------------


def test_verify_commands_run_in_order_on_the_accepted_tree() -> None:
    world, item = verified()
    evidence = [record.data for record in world.records if isinstance(record.data, ev.EvidenceRecorded)]
    assert [(each.command, each.outcome) for each in evidence] == [("make", "passed"), ("lint", "passed")]
    assert len({each.tree for each in evidence}) == 1
    assert world.status(item) == "done"


def test_a_red_verify_spends_a_fix_attempt_and_comes_at_once_with_its_evidence() -> None:
    world, item = verified()
    world.reopen(item)
    world.script["make"] = [RED]
    world.held = {"build"}
    world.go()
    world.end(f"{item}.2.build.1")
    world.settle(wait=False)
    found = world.run(item).phase
    assert (found.fixes, found.retries, found.number, found.state) == (1, 0, 2, PhaseState.RUNNING)
    text = prompt.prompt_for(world.state, world.run(item), 2)
    assert "make\nE assert 1 == 2\nit ended with exit status 1" in text
    assert [each.outcome for each in found.evidence[-2:]] == ["failed", "not_run"]


def test_the_fix_loop_ends_at_a_gate_and_retry_renews_it() -> None:
    world, item = verified(RED, RED, RED)
    assert world.gate(item).key == "verify"
    assert world.run(item).phase.fixes == 2
    world.decide(item, "retry")
    assert world.run(item).phase.fixes == 0
    world.settle()
    assert world.status(item) == "done"


@pytest.mark.parametrize("bound", [0, 1, 3])
def test_max_fix_attempts_bounds_the_fix_loop(bound: int) -> None:
    world, item = verified(*[RED] * 9, max_fix_attempts=bound)
    assert world.run(item).phase.number == bound + 1


def test_evidence_of_a_fixed_tree_replaces_the_old_one() -> None:
    world = World()
    item = made(world, config(phases=(phase("build", verify=("make",), gate=("approval",)),)))
    world.script["make"] = [RED]
    world.go()
    assert [each.outcome for each in world.run(item).phase.evidence] == ["passed"]
    assert world.run(item).phase.fixes == 1, "a green one spends nothing"


@pytest.mark.parametrize("end", [End(reason="stopped", status=None), End(lost=True)])
def test_an_interrupted_verify_is_run_again_and_costs_no_fix(end: End) -> None:
    world, item = verified(end)
    assert world.status(item) == "done"
    assert "evidence.recorded" in world.types(item)
    assert sum(each == "attempt.planned" for each in world.types(item)) == 4


def test_a_verify_command_that_could_not_be_started_is_tried_again_after_a_pause() -> None:
    world = World()
    item = made(world, config(phases=(phase("build", verify=("make",)),)))
    world.script["make"] = [End(reason="spawn_failed"), End(not_spawned="busy")]
    world.start()
    world.settle(wait=False)
    assert world.plan().wake_at_us == NOON + 5_000_000
    world.ask(calls.RunStop())
    assert world.plan().wake_at_us == NOON + 5_000_000, "verification needs no dispatch"
    assert decide(world.state, cmd.PlanVerify(run=f"{item}.1"), NOON) is NOTHING
    world.settle()
    assert world.status(item) == "done"


def test_a_verify_that_can_never_run_asks_a_human_and_is_no_evidence() -> None:
    world, item = verified(End(reason="unusable", error="no such folder"))
    assert "no such folder" in world.gate(item).question
    assert "evidence.recorded" not in world.types(item)


def test_verify_attempts_have_ids_of_their_own() -> None:
    world, item = verified(RED)
    ids = [record.data.attempt for record in world.records if isinstance(record.data, ev.AttemptPlanned)]
    assert ids == [f"{item}.1.build.{each}" for each in ("1", "verify_1.1", "2", "verify_1.2", "verify_2.3")]


# --- rounds ------------------------------------------------------------------------------------------------------


def test_each_round_is_committed_and_the_next_one_hears_its_summary() -> None:
    world = World()
    item = made(world, config(phases=(phase("build", verify=("make",)),)))
    world.script["build"] = [End(result={"result": "subphase_complete", "summary": f"part {n}"}) for n in (1, 2)]
    world.start()
    world.settle()
    commits = [record.data for record in world.records if isinstance(record.data, ev.CommitCreated)]
    assert len(commits) == 3
    notes = [record.data.note for record in world.records if isinstance(record.data, ev.PhaseReset)]
    assert notes == ["part 1", "part 2"]
    assert world.status(item) == "done"


def test_max_rounds_bounds_the_rounds_and_retry_renews_them() -> None:
    world = World()
    item = made(world, config(max_rounds=3))
    world.script["build"] = [End(result={"result": "subphase_complete"})] * 3
    world.go()
    assert world.gate(item).key == "rounds"
    assert sum(each == "commit.created" for each in world.types(item)) == 3
    world.decide(item, "retry")
    assert world.run(item).phase.rounds == 0
    world.settle()
    assert world.status(item) == "done"


# --- trouble -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.ENTER, Stage.COMMIT])
def test_trouble_with_the_workspace_asks_and_retry_takes_the_same_step_again(stage: Stage) -> None:
    world = World()
    item = made(world)
    world.start()
    while not (item in world.state.items and world.item(item).run and world.run(item).phase.stage is stage):
        for attempt in world.running():
            world.end(attempt.id)
        world.apply(world.plan().commands[0]) if world.plan().commands else world.step()
    trouble = cmd.ReportTrouble(run=f"{item}.1", doing="preparing", message="no room.", hint="Make some.")
    world.apply(trouble)
    assert world.gate(item).question.startswith("preparing: no room. Make some.")
    assert decide(world.state, trouble, NOON) is NOTHING, "it is asked once"
    assert world.run(item).state is RunState.AWAITING
    world.decide(item, "retry")
    assert world.run(item).state is (RunState.CREATED if stage is Stage.ENTER else RunState.EXECUTING)
    assert world.run(item).phase.stage is stage
    world.settle()
    assert world.status(item) == "done"


def test_skip_leaves_the_phase_out_and_goes_on_with_the_next() -> None:
    world = World()
    item = made(world, config(pre=("scope",), phases=("build", "ship")))
    world.script = {"scope": [End(result={"item_id": "X"})], "build": [End(result={"item_id": "X"})]}
    world.go()
    world.decide(item, "skip")
    assert world.status(item) == "ready", "the last pre-phase is left out"
    assert [each.state for each in world.run(item).phases] == ["skipped", "pending", "pending"]
    world.settle()
    world.decide(item, "skip", "by hand")
    world.settle()
    assert world.status(item) == "done"
    states = [record.data.phase for record in world.records if isinstance(record.data, ev.PhaseSkipped)]
    assert states == ["scope", "build"]


def test_what_a_failed_attempt_left_is_put_back_also_after_its_phase_was_skipped() -> None:
    world = World()
    item = made(world, config(phases=("build", "ship"), max_retries=0))
    world.script["build"] = [End(result=None)]
    world.go()
    world.decide(item, "skip")
    world.settle()
    types = world.types(item)
    assert types.index("work.kept") < types.index("attempt.planned", types.index("phase.skipped"))


# --- reports that do not fit -------------------------------------------------------------------------------------


def reports(run: str) -> dict[str, cmd.Command]:
    return {
        "entered": cmd.ReportEntered(
            run=run, base_branch="m", base_commit="b", branch="x", workspace="/w", head="h", tree="t"
        ),
        "trouble": cmd.ReportTrouble(run=run, doing="d", message="m"),
        "committed": cmd.ReportCommitted(run=run, attempt="a", head="h", tree="t"),
        "kept": cmd.ReportKept(run=run, then="put_back", attempt="a"),
        "removed": cmd.ReportKept(run=run, then="removed"),
        "verify": cmd.PlanVerify(run=run),
    }


@pytest.mark.parametrize("name", reports(""))
def test_a_report_about_a_run_that_is_over_or_unknown_changes_nothing(name: str) -> None:
    world = World()
    item = made(world, config(phases=(phase("build", gate=("approval",)),)))
    world.go()
    if name not in ("trouble", "kept", "removed"):
        assert decide(world.state, reports(f"{item}.1")[name], NOON) is NOTHING
    world.ask(calls.ItemCancel(id=item))
    assert item in world.state.items, "its worktree is still there"
    if name != "removed":
        assert decide(world.state, reports(f"{item}.1")[name], NOON) is NOTHING
    world.settle()
    assert decide(world.state, reports(f"{item}.1")[name], NOON) is NOTHING


def test_a_commit_that_is_reported_while_a_gate_is_open_changes_nothing() -> None:
    world = World()
    item = made(world)
    world.script["build"] = [End()]
    world.start()
    world.calm()
    world.end(f"{item}.1.build.1")
    while world.run(item).phase.stage is not Stage.COMMIT:
        world.step()
    world.apply(reports(f"{item}.1")["trouble"])
    before = picture(world.state)
    assert decide(world.state, reports(f"{item}.1")["committed"], NOON) is NOTHING
    assert picture(world.state) == before


@pytest.mark.parametrize("status", ["scoping", "blocked", "done", "none"])
def test_promotion_and_launch_are_for_items_that_are_due(status: str) -> None:
    world = World()
    item = made(world, config(pre=("scope",) * (status == "scoping"), phases=(phase("build", gate=("approval",)),)))
    if status in ("blocked", "done"):
        world.go()
    if status == "done":
        world.decide(item, "approve")
    item = "DEMO-9" if status == "none" else item
    assert decide(world.state, cmd.Promote(item=item), NOON) is NOTHING
    if status != "scoping":
        assert decide(world.state, cmd.Launch(item=item), NOON) is NOTHING


def test_nothing_is_launched_twice() -> None:
    world = World()
    item = made(world)
    world.start()
    world.step()
    assert decide(world.state, cmd.Launch(item=item), NOON) is NOTHING
