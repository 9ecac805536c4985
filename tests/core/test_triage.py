"""Triage: what an assessment leads to, what a human is asked, and where the item goes."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Guardrails, Phase, Pipeline, ProjectConfig, Triage
from golemd.api.faults import Fault
from golemd.api.model import Brief, GateKind, RunState, Status
from golemd.core.prompt import prompt_for
from golemd.core.scheduler import next_agent, why
from golemd.core.slots import Limits
from tests.core.world import FAILS, MANY, End, World, config, picture

QUICK: Final = Pipeline("quick", (), (Phase("only"),))
OPEN: Final = Guardrails("large", "high", "high")


def settings(pre: tuple[str, ...] = ("scope",), **fields: Any) -> ProjectConfig:
    return config(pre=pre, more={"quick": QUICK}, triage=fields.pop("triage", Triage()), **fields)


def world_with(*ends: End, **fields: Any) -> tuple[World, str]:
    """A world in which one new item is being triaged with these results."""
    world = World()
    world.project(settings(**fields))
    item = world.add("Fix the login", description="It fails.")
    world.script["triage"] = list(ends)
    return world, item


def says(**result: Any) -> End:
    return End(result=result)


def phases_of(world: World, item: str) -> list[tuple[str, str]]:
    return [(phase.name, str(phase.state)) for phase in world.run(item).phases]


# --- routing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assessed", "pre", "to"),
    [
        ({}, ("scope",), "scoping"),
        ({"size": "small"}, ("scope",), "ready"),
        ({"size": "small", "risk": "low"}, ("scope",), "ready"),
        ({"size": "small", "risk": "medium"}, ("scope",), "scoping"),
        ({"size": "medium"}, ("scope",), "scoping"),
        ({"size": "medium"}, (), "ready"),
    ],
)
def test_a_triaged_item_goes_where_its_size_and_pipeline_send_it(
    assessed: dict[str, str], pre: tuple[str, ...], to: str
) -> None:
    world, _ = world_with(says(updated_assessments=assessed), pre=pre, guardrails=OPEN)
    world.start(cap=1)
    world.settle()
    moves = [record.data for record in world.records if record.type == "item.moved"]
    assert moves[0] == ev.ItemMoved(to=Status(to), reason="triaged")
    assert picture(world.replay()) == picture(world.state)


def test_whether_triage_can_begin_depends_on_its_own_agent() -> None:
    world = World()
    world.project(settings(triage=Triage(agent="assessor")))
    assert next_agent(world.state, world.item(world.add())) == "assessor"


def test_without_triage_an_item_starts_where_it_can_be_worked_on() -> None:
    world, item = world_with(triage=Triage(enabled=False))
    assert world.status(item) == "scoping"
    world.go()
    assert "item.triaged" not in world.types(item)


def test_it_carries_an_item_from_new_to_done_through_all_its_phases() -> None:
    world, item = world_with(says(updated_assessments={"size": "medium"}))
    assert world.status(item) == "new"
    world.held = {"build"}
    world.go()
    assert phases_of(world, item) == [("triage", "completed"), ("scope", "completed"), ("build", "running")]
    assert [attempt.id for attempt in world.state.attempts.values()] == [
        f"{item}.1.triage.1",
        f"{item}.1.scope.1",
        f"{item}.1.build.1",
    ]
    assert world.state.projects["demo"].dispatch.used == 3, "the cap counts triages as phases"


def test_a_small_item_passes_over_what_would_scope_it() -> None:
    world, item = world_with(says(updated_assessments={"size": "small"}))
    world.held = {"build"}
    world.go()
    assert phases_of(world, item) == [("triage", "completed"), ("scope", "skipped"), ("build", "running")]


def test_triage_chooses_the_pipeline_and_keeps_what_people_wrote() -> None:
    brief = {"problem": "The form is sent twice."}
    world, item = world_with(says(pipeline_type="quick", description=brief))
    world.held = {"only"}
    world.go()
    assert phases_of(world, item) == [("triage", "completed"), ("only", "running")]
    found = world.item(item)
    assert (found.pipeline, found.description, found.brief) == ("quick", "It fails.", Brief(**brief))
    text = prompt_for(world.state, world.run(item), 1)
    assert "It fails." in text
    assert "Problem: The form is sent twice." in text


def test_new_items_get_slots_after_those_that_are_further() -> None:
    world = World()
    world.project(settings(pre=(), max_concurrent=1))
    first = world.add()
    world.held = {"triage", "build"}
    world.start()
    world.settle()
    second = world.add(priority=9)
    world.held = {"build"}
    world.settle()
    assert [each.id for each in world.running()] == [f"{first}.1.build.1"]
    assert world.status(second) == "new"


# --- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_triage_that_fails_is_retried_like_any_phase_and_then_asks() -> None:
    world, item = world_with(FAILS, End(result=None), FAILS)
    world.go()
    gate = world.gate(item)
    assert (gate.kind, gate.phase, world.run(item).phase.number) == (GateKind.FAILURE, "triage", 3)
    assert "work.kept" not in world.types(item), "there is no worktree that could be put back"
    world.decide(gate.id, "retry", "look at auth.py")
    assert "look at auth.py" in prompt_for(world.state, world.run(item), 4)
    world.settle()
    assert world.status(item) == "done"


def test_skipping_a_triage_that_fails_goes_on_with_what_is_known() -> None:
    world, item = world_with(End(result={"item_id": "OTHER-1"}))
    world.go()
    world.decide(item, "skip")
    world.settle()
    assert world.status(item) == "done"


def test_a_result_for_something_else_is_not_taken() -> None:
    world, item = world_with(says(phase="build"))
    world.go()
    assert "phase 'build'" in world.gate(item).question


def test_a_blocked_triage_asks_and_goes_on_with_the_answer() -> None:
    world, item = world_with(says(result="blocked", question="Which login?"))
    world.go()
    assert world.gate(item).question == "Which login?"
    world.ask(calls.ItemUnblock(id=item, answer="The web one"))
    world.settle()
    assert world.status(item) == "done"
    assert "attempt.planned" in world.types(item)


def test_rounds_of_triage_are_bounded() -> None:
    world, item = world_with(*[says(result="subphase_complete", summary="looked")] * 9, max_rounds=2)
    world.go()
    assert "not complete after 2 rounds" in world.gate(item).question


# --- pipelines that do not exist -----------------------------------------------------------------------------------


def test_an_unknown_pipeline_is_a_question_that_lists_the_known_ones() -> None:
    world, item = world_with(says(pipeline_type="express"))
    world.go()
    gate = world.gate(item)
    assert (gate.kind, gate.key) == (GateKind.QUESTION, "pipeline")
    assert "feature, quick" in gate.question
    with pytest.raises(Fault) as refused:
        world.ask(calls.ItemUnblock(id=item, answer="slow"))
    assert refused.value.code == "unknown_pipeline"
    world.ask(calls.ItemUnblock(id=item, answer=" quick "))
    world.held = {"only"}
    world.settle()
    assert phases_of(world, item) == [("triage", "completed"), ("only", "running")]


@pytest.mark.parametrize("triage", [True, False])
def test_an_item_whose_pipeline_was_removed_asks_for_another(triage: bool) -> None:
    world = World()
    world.project(settings(triage=Triage(enabled=triage)))
    item = world.add(pipeline="quick")
    world.configure(config(triage=Triage(enabled=triage)))
    world.go()
    assert world.gate(item).key == "pipeline"
    assert bool(world.item(item).run) is triage
    world.ask(calls.ItemUnblock(id=item, answer="feature"))
    world.settle()
    assert world.status(item) == "done"
    assert picture(world.replay()) == picture(world.state)


def test_a_pipeline_removed_between_triage_and_the_first_phase_is_asked_for() -> None:
    world, item = world_with(says(pipeline_type="quick"))
    world.start(cap=1)
    world.settle()
    assert world.status(item) == "in_progress"
    world.configure(settings())
    world.configure(config(triage=Triage()))
    world.go()
    assert world.gate(item).key == "pipeline"
    world.ask(calls.ItemUnblock(id=item, answer="feature"))
    world.settle()
    assert world.status(item) == "done"


def test_skipping_triage_with_a_pipeline_that_is_gone_asks_at_the_start() -> None:
    world = World()
    world.project(settings())
    item = world.add(pipeline="quick")
    world.configure(config(triage=Triage()))
    world.script["triage"] = [End(result={"item_id": "OTHER-1"})]
    world.go()
    world.decide(item, "skip")
    world.settle()
    assert world.gate(item).key == "pipeline"


def test_a_run_that_is_not_bound_yet_follows_a_changed_configuration() -> None:
    world, item = world_with(says(updated_assessments={"size": "medium"}))
    world.start(cap=1)
    world.settle()
    world.configure(settings(pre=("scope", "plan")))
    world.held = {"build"}
    world.go()
    assert [name for name, _ in phases_of(world, item)] == ["triage", "scope", "plan", "build"]
    assert world.run(item).state is RunState.EXECUTING
    world.configure(settings(pre=()))
    assert [name for name, _ in phases_of(world, item)] == ["triage", "scope", "plan", "build"], "bound is pinned"


def test_an_item_that_was_taken_to_a_phase_that_was_removed_is_taken_through_it() -> None:
    world = World()
    world.project(config(phases=("plan", "build"), max_concurrent=1))
    first, item = world.add(), world.add()
    world.held = {"plan"}
    world.start()
    world.settle(wait=False)
    world.ask(calls.ItemAdvance(id=item, to="build"))
    world.configure(config(phases=("plan",), max_concurrent=1))
    world.end(f"{first}.1.plan.1")
    world.held = set()
    world.settle()
    assert world.status(item) == "done"
    accepted = [record.data.attempt for record in world.records if isinstance(record.data, ev.AttemptAccepted)]
    assert f"{item}.1.build.1" in accepted
    assert picture(world.replay()) == picture(world.state)


def test_an_item_to_be_scoped_by_phases_that_were_removed_is_ready() -> None:
    world, item = world_with(says(updated_assessments={"size": "medium"}))
    world.start(cap=1)
    world.settle()
    assert world.status(item) == "scoping"
    world.configure(settings(pre=()))
    world.go()
    assert world.status(item) == "done"


# --- guardrails ----------------------------------------------------------------------------------------------------


def test_triage_above_the_guardrails_asks_and_names_every_dimension() -> None:
    world, item = world_with(says(updated_assessments={"size": "large", "risk": "high", "impact": "high"}))
    world.go()
    gate = world.gate(item)
    assert gate.kind is GateKind.GUARDRAIL
    assert "size large (at most medium), risk high (at most low). Not assessed: complexity." in gate.question
    assert why(world.state, world.item(item), MANY, world.now_us) is not None
    world.decide(gate.id, "approve", "carefully")
    world.settle()
    assert world.status(item) == "done"


def test_an_override_holds_up_to_what_was_approved() -> None:
    world, item = world_with(
        says(updated_assessments={"complexity": "high"}), guardrails=Guardrails("medium", "low", "high")
    )
    world.go()
    world.decide(item, "approve")
    world.ask(calls.ItemEdit(id=item, complexity="medium"))
    assert not world.state.open_gates(item)
    world.ask(calls.ItemEdit(id=item, size="large"))
    assert "size large" in world.gate(item).question
    assert "complexity" not in world.gate(item).question.split("Not assessed")[0]


def test_a_phase_that_raises_the_assessments_goes_on_only_when_a_human_lets_it() -> None:
    world, item = world_with(says(updated_assessments={"size": "medium"}))
    world.script["scope"] = [says(updated_assessments={"size": "large"})]
    world.go()
    assert world.gate(item).kind is GateKind.GUARDRAIL
    assert world.halt_reason() == "all_done_or_blocked"
    assert "commit.created" not in world.types(item)
    world.decide(item, "approve")
    world.settle()
    assert world.status(item) == "done"


def test_a_phase_that_asks_and_raises_the_assessments_opens_both_gates() -> None:
    world, item = world_with(says(updated_assessments={"size": "medium"}))
    world.script["scope"] = [says(result="blocked", question="?", updated_assessments={"size": "large"})]
    world.go()
    first, second = world.state.open_gates(item)
    assert {first.kind, second.kind} == {GateKind.GUARDRAIL, GateKind.QUESTION}
    world.decide(first.id, "approve")
    assert world.status(item) == "blocked"
    world.decide(second.id, "answer", "yes")
    world.settle()
    assert world.status(item) == "done"


def test_stricter_guardrails_are_checked_before_promotion_and_behind_the_pre_phases() -> None:
    medium = says(updated_assessments={"size": "medium"})
    world, first = world_with(medium, medium, max_wip=1)
    world.held = {"build"}
    world.start()
    world.settle()
    second = world.add()
    world.settle()
    assert (world.status(first), world.status(second)) == ("in_progress", "ready")
    world.held = {"build", "scope"}
    third = world.add()
    world.script["triage"] = [medium]
    world.settle()
    world.configure(settings(guardrails=Guardrails("small"), max_wip=1))
    world.held = set()
    world.settle()
    assert world.status(first) == "done", "what was promoted goes on"
    for item in (second, third):
        assert world.gate(item).kind is GateKind.GUARDRAIL
        world.decide(item, "approve")
        world.settle()
        assert world.status(item) == "done"


def test_an_edit_that_changes_what_is_asked_replaces_the_gate() -> None:
    world, item = world_with(triage=Triage(enabled=False))
    world.ask(calls.ItemEdit(id=item, size="large"))
    first = world.gate(item)
    world.ask(calls.ItemEdit(id=item, priority=3))
    assert world.gate(item).id == first.id
    world.ask(calls.ItemEdit(id=item, risk="high"))
    second = world.gate(item)
    assert second.id != first.id
    assert "risk high" in second.question
    world.ask(calls.ItemEdit(id=item, size="small", risk="low"))
    assert not world.state.open_gates(item)
    assert world.status(item) == "scoping"


def test_rejecting_an_item_that_has_no_run_cancels_it() -> None:
    world, item = world_with(triage=Triage(enabled=False))
    world.ask(calls.ItemEdit(id=item, size="large"))
    world.decide(item, "reject", "too much")
    assert world.state.known(item).resolution == "rejected"


def test_a_gate_about_the_item_waits_for_the_step_under_way() -> None:
    world, item = world_with(triage=Triage(enabled=False))
    world.start()
    world.held = {"scope"}
    world.settle()
    world.ask(calls.ItemEdit(id=item, size="large"))
    world.held = set()
    world.settle()
    assert world.status(item) == "blocked"
    assert phases_of(world, item)[0] == ("scope", "running"), "its end waits for the human"
    world.decide(item, "approve")
    world.settle()
    assert world.status(item) == "done"


# --- duplicates ----------------------------------------------------------------------------------------------------


def twins(**triage: Any) -> tuple[World, str, str]:
    """A world with an item, one that says the same, and one that waits for the second."""
    world = World()
    world.project(settings(triage=Triage(**triage)))
    first = world.add("Log in", description="The first.")
    world.held = {"scope"}
    world.start()
    world.settle()
    second = world.add("Login", description="The second.")
    world.script["triage"] = [says(duplicates=[first, second, "DEMO-9"])]
    return world, first, second


def test_a_suspected_duplicate_is_asked_about_and_merged_with_what_hangs_on_it() -> None:
    world, first, second = twins()
    waiting = world.add("Later", dependencies=(second,))
    world.settle()
    gate = world.gate(second)
    assert (gate.kind, gate.default) == (GateKind.DUPLICATE, "")
    assert first in gate.question
    accepted = next(r.data for r in world.records if r.type == "attempt.accepted" and r.item == second)
    assert [text for text in accepted.warnings if "DEMO-9" in text]  # type: ignore[attr-defined]
    world.decide(second, "merge")
    assert world.state.known(second).resolution == f"duplicate of {first}"
    assert "The first.\n\n[DEMO-2, merged as a duplicate] Login\nThe second." in world.item(first).description
    assert world.item(waiting).dependencies == (first,)


def test_duplicates_are_merged_at_once_where_the_configuration_says_so() -> None:
    world, first, second = twins(merge_duplicates=True)
    world.settle()
    assert world.state.known(second).resolution == f"duplicate of {first}"
    assert not world.state.all_open_gates()


@pytest.mark.parametrize("at_once", [True, False])
def test_who_waited_for_a_duplicate_does_not_wait_for_a_twin_that_waits_for_it(at_once: bool) -> None:
    world = World()
    world.project(settings(triage=Triage(merge_duplicates=at_once)))
    second = world.add("Login")
    nearer = world.add("Logout", dependencies=(second,))
    further = world.add("Profile", dependencies=(nearer,))
    first = world.add("Log in", dependencies=(further, second))
    later = world.add("Later", dependencies=(second, nearer))
    world.script["triage"] = [says(duplicates=[first])]
    world.start(continuous=True)
    world.calm()
    world.end(f"{second}.1.triage.1")
    world.calm()
    if not at_once:
        world.decide(second, "merge")
    left = {each: world.item(each).dependencies for each in (nearer, further, first, later)}
    assert left == {nearer: (), further: (nearer,), first: (further,), later: (first, nearer)}
    cancelled = next(record.data for record in world.records if record.type == "item.cancelled")
    assert isinstance(cancelled, ev.ItemCancelled)
    said = f"{second}.1.triage.1 says so; " if at_once else ""
    assert cancelled.reason == f"{said}{nearer} does not wait for {first}, which waits for it"
    world.settle()
    assert [world.status(each) for each in left] == ["done"] * 4


@pytest.mark.parametrize("how", ["done", "cancelled"])
def test_nothing_is_merged_into_what_has_ended_meanwhile(how: str) -> None:
    world, first, second = twins()
    waiting = world.add("Later", dependencies=(second,))
    world.settle()
    if how == "cancelled":
        world.ask(calls.ItemCancel(id=first))
    world.held = set()
    world.settle()
    assert world.status(first) == how
    gate, before = world.gate(second), picture(world.state)
    with pytest.raises(Fault) as refused:
        world.decide(second, "merge")
    assert (refused.value.code, refused.value.CLASS) == ("duplicate_ended", "conflict")
    assert refused.value.message.startswith(f"{second} cannot be merged into {first}, which is {how} meanwhile")
    assert f"golemctl decide {gate.id} keep" in refused.value.hint
    assert f"golemctl reopen {first}" in refused.value.hint
    assert picture(world.state) == before
    world.reopen(first)
    world.decide(second, "merge")
    assert world.state.known(second).resolution == f"duplicate of {first}"
    assert "The second." in world.item(first).description
    assert world.item(waiting).dependencies == (first,)


def test_several_suspected_duplicates_are_asked_about_one_after_the_other() -> None:
    world, first, second = twins()
    third, fourth, fifth = world.add("Sign in"), world.add("Sign up"), world.add("Sign on")
    for each in (third, fourth, fifth):
        world.ask(calls.Pause(id=each))
    world.script["triage"] = [says(duplicates=[first, third, first, fourth, fifth])]
    world.settle()
    assert [gate.key for gate in world.state.open_gates(second)] == [f"duplicate:{first}"]
    world.decide(second, "keep")
    assert [gate.key for gate in world.state.open_gates(second)] == [f"duplicate:{third}"]
    assert f"duplicate of {third}" in world.gate(second).options[0].label
    assert phases_of(world, second)[0] == ("triage", "awaiting_gate")
    world.ask(calls.ItemCancel(id=fourth))
    world.decide(second, "keep")
    assert [gate.key for gate in world.state.open_gates(second)] == [f"duplicate:{fifth}"], (
        "nobody asks about the ended"
    )
    assert picture(world.replay()) == picture(world.state)
    world.decide(second, "merge")
    assert world.state.known(second).resolution == f"duplicate of {fifth}"
    world.settle()
    world.reopen(second)
    assert world.item(second).twins == ()


@pytest.mark.parametrize("pipeline_first", [True, False])
def test_triage_goes_on_when_all_suspected_duplicates_are_kept(pipeline_first: bool) -> None:
    world, first, second = twins()
    third = world.add("Sign in")
    world.ask(calls.Pause(id=third))
    world.script["triage"] = [says(duplicates=[first, third], pipeline_type="express")]
    world.settle()
    duplicate, pipeline = world.state.open_gates(second)
    if pipeline_first:
        world.decide(pipeline.id, "answer", "quick")
    world.decide(duplicate.id, "keep")
    again = world.state.open_gates(second)[-1]
    assert (again.kind, again.key) == (GateKind.DUPLICATE, f"duplicate:{third}")
    world.decide(again.id, "keep")
    if not pipeline_first:
        world.decide(pipeline.id, "answer", "quick")
    world.settle()
    assert world.status(second) == "done"


def test_a_gate_that_names_what_triage_did_not_asks_nothing_more() -> None:
    world, _, second = twins()
    world.settle()
    world.state.items[second] = replace(world.item(second), twins=())
    world.decide(second, "keep")
    assert not world.state.open_gates(second)
    assert phases_of(world, second)[0] == ("triage", "completed")


@pytest.mark.parametrize("at_once", [True, False])
def test_what_has_ended_before_triage_has_is_passed_over(at_once: bool) -> None:
    world = World()
    world.project(settings(triage=Triage(merge_duplicates=at_once)))
    over = world.add("Log in")
    world.go()
    assert world.status(over) == "done"
    first = world.add("Sign in")
    world.ask(calls.Pause(id=first))
    second = world.add("Login")
    world.script["triage"] = [says(duplicates=[over, first])]
    world.go()
    accepted = next(r.data for r in world.records if r.type == "attempt.accepted" and r.item == second)
    if at_once:
        assert world.state.known(second).resolution == f"duplicate of {first}"
    else:
        assert world.gate(second).key == f"duplicate:{first}"
        said = f"duplicates names {over}, which is done: look whether {second} is still needed"
        assert accepted.warnings == (said,)  # type: ignore[attr-defined]


def test_a_duplicate_and_an_unknown_pipeline_are_asked_at_once_and_routing_waits_for_both() -> None:
    for order in ((0, 1), (1, 0)):
        world, first, second = twins()
        world.script["triage"] = [says(duplicates=[first], pipeline_type="express")]
        world.settle()
        gates = world.state.open_gates(second)
        answers = (("keep", ""), ("answer", "quick"))
        for n in order:
            assert world.status(second) == "blocked"
            world.decide(gates[n].id, *answers[n])
        assert world.item(second).pipeline == "quick"
        world.settle()
        assert world.status(second) == "done"


# --- reopening -------------------------------------------------------------------------------------------------------


def test_a_reopened_item_is_new_and_keeps_what_triage_made_of_it() -> None:
    world, item = world_with(says(description="about auth"))
    world.go()
    world.reopen(item)
    assert world.status(item) == "new"
    assert world.item(item).brief == Brief(context="about auth")


def test_a_report_of_an_entered_workspace_waits_while_the_item_is_blocked() -> None:
    from golemd.core import commands as cmd

    world, item = world_with(triage=Triage(enabled=False))
    world.start()
    for command in world.plan().commands:
        world.apply(command)
    world.ask(calls.ItemEdit(id=item, size="large"))
    run = world.run(item)
    report = cmd.ReportEntered(
        run=run.id, base_branch="main", base_commit="c", branch="b", workspace="/w", head="c", tree="t"
    )
    assert not world.apply(report).drafts
    world.decide(item, "approve")
    world.settle()
    assert world.status(item) == "done"


def test_the_prompt_of_triage_shows_backlog_pipelines_and_rubric() -> None:
    world = World()
    world.project(settings(max_concurrent=300))
    world.limits = Limits(300, 300)
    others = [world.add(f"Other {n}") for n in range(203)]
    item = world.add("Mine")
    world.held = {"triage"}
    world.start(cap=1000)
    world.settle()
    text = prompt_for(world.state, world.run(item), 1)
    assert f"- {others[-1]}: Other 202 [new]" in text
    assert "(3 older items are not shown)" in text
    assert f"- {item}:" not in text
    assert "- feature (the usual one): scope → build" in text
    assert "- quick: only" in text
    for word in ("## Rubric", "pipeline_type", "duplicates", '"phase": "triage"'):
        assert word in text
    alone = World()
    alone.project(settings())
    only = alone.add()
    alone.held = {"triage"}
    alone.start()
    alone.settle()
    assert "## Backlog" not in prompt_for(alone.state, alone.run(only), 1)
