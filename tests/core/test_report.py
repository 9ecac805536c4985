"""The final report: what it holds, what it covers, and that the same journal always gives the same bytes."""

from __future__ import annotations

import msgspec
import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Guardrails, Triage
from golemd.api.faults import NotFound
from golemd.api.model import Status
from golemd.api.reports import FORMAT, Report
from golemd.core import commands as cmd
from golemd.core.markdown import markdown
from golemd.core.report import LAST_EVENTS, to_json
from tests.core.world import FAILS, End, World, config, phase
from tests.core.world import phase as defined

VERIFIED = (phase("build", verify=("make", "lint"), gate=("approval",)), phase("ship"))


def finished(phases: tuple[object, ...] = VERIFIED, **script: list[End]) -> tuple[World, str]:
    """A world whose only item has gone as far as it goes by itself."""
    world = World()
    world.project(config(phases=phases, pre=("scope",)))  # type: ignore[arg-type]  # names or phases
    item = world.add("Title", description="all of it", vars={"x": "1"}, labels=("l",), base="dev")
    world.script = {name: list(ends) for name, ends in script.items()}
    world.go()
    return world, item


def told(world: World, item: str) -> Report:
    return world.report(f"{item}.1")


def test_a_completed_run_is_reported_whole() -> None:
    said = cmd.Said(session="s", model="m-1", cost_usd=0.25, input_tokens=100, output_tokens=20)
    world, item = finished(make=[End(status=1, lines=("red",))], scope=[End(said=said)])
    world.decide(item, "approve", "fine", content=world.content(item))
    world.settle()
    report = told(world, item)
    assert (report.format, report.run, report.item, report.project) == (FORMAT, f"{item}.1", item, "demo")
    assert (report.state, report.resolution, report.reason, report.finished) == ("completed", "completed", None, True)
    assert (report.pins.base_branch, report.pins.branch, report.pins.pipeline) == ("main", f"golem/{item}", "feature")
    assert len(report.pins.pipeline_digest or "") == len(report.pins.config_digest) == 64
    assert (report.inputs.description, report.inputs.vars, report.inputs.base) == ("all of it", {"x": "1"}, "dev")
    assert len(report.inputs.digest or "") == 64
    (robot,) = report.bindings
    assert (robot.agent, robot.kind, robot.phases) == ("robot", "scripted", ("scope", "build", "ship"))
    assert len(robot.digest or "") == 64
    assert [(each.name, each.state, len(each.attempts)) for each in report.phases] == [
        ("scope", "completed", 1),
        ("build", "completed", 5),
        ("ship", "completed", 1),
    ]
    assert [(each.command, each.outcome, each.lines[:1]) for each in report.evidence] == [
        ("make", "failed", ("red",)),
        ("lint", "not_run", ()),
        ("make", "passed", ()),
        ("lint", "passed", ()),
    ]
    (gate,) = report.gates
    assert gate.decision is not None
    assert (gate.decision.option, gate.decision.text, gate.decision.actor.user) == ("approve", "fine", "alice")
    assert [(each.phase, each.files) for each in report.commits] == [("scope", 1), ("build", 1), ("ship", 1)]
    assert (report.diff.commits, report.diff.files) == (3, 3)
    assert (report.cost.usd, report.cost.input_tokens, report.cost.output_tokens) == (0.25, 100, 20)
    assert (report.cost.attempts, report.cost.unknown) == (4, 3)
    assert report.phases[0].attempts[0].model == "m-1"
    assert report.unresolved == (f"The work is on the branch golem/{item} and not in main.",)
    assert [line["seq"] for line in report.events] == list(world.state.trail[item])[:-1]
    assert report.events[-1]["type"] == "work.kept"


def test_a_report_is_written_once_when_the_run_is_put_away_and_then_never_changes() -> None:
    world, item = finished()
    world.decide(item, "abort", "no more", content=world.content(item))
    world.settle()
    assert world.types(item).count("report.written") == 1
    assert item in world.state.ended
    written = world.reports[f"{item}.1"]
    world.reopen(item)
    world.go()
    assert to_json(told(world, item)) == written
    fresh = World()
    fresh.records, fresh.state = world.records, world.replay()
    assert to_json(told(fresh, item)) == written
    assert to_json(msgspec.json.decode(written, type=Report)) == written


def test_a_run_without_its_report_stays_in_memory_and_restarts_ask_for_it_again() -> None:
    world, item = finished()
    world.in_flight.add(f"writereport:{item}.1")
    world.decide(item, "reject", content=world.content(item))
    world.settle()
    assert world.status(item) == "cancelled"
    assert item in world.state.items, "it has shrunk, and nobody remembers its report"
    world.restart()
    assert [type(each).__name__ for each in world.plan().effects] == ["WriteReport"]
    world.settle()
    assert item in world.state.ended
    assert world.types(item).count("report.written") == 1


def test_a_full_disk_is_not_asked_to_hold_a_report() -> None:
    world, item = finished()
    world.full = True
    world.decide(item, "reject", content=world.content(item))
    world.settle()
    assert "report.written" not in world.types(item)
    world.full = False
    world.settle()
    assert "report.written" in world.types(item)


def test_a_report_of_what_is_not_put_away_or_is_written_already_is_not_taken() -> None:
    world, item = finished()
    filed = cmd.ReportFiled(run=f"{item}.1", through=1, digests={})
    assert not world.apply(filed).drafts
    world.decide(item, "reject", content=world.content(item))
    world.in_flight.add(f"writereport:{item}.1")
    world.settle()
    assert world.apply(filed).drafts
    assert not world.apply(filed).drafts


def test_an_item_can_be_taken_up_again_while_its_report_cannot_be_written() -> None:
    world, item = finished()
    world.in_flight.add(f"writereport:{item}.1")
    world.decide(item, "reject", "wrong", content=world.content(item))
    world.settle()
    before = to_json(told(world, item))
    world.ask(calls.ItemReopen(id=item))
    assert world.item(item).status is Status.SCOPING
    assert to_json(told(world, item)) == before
    world.in_flight.clear()
    world.go()
    assert world.reports[f"{item}.1"] == before
    assert world.report(f"{item}.2").state == "awaiting"


def test_a_project_can_be_removed_while_a_report_cannot_be_written() -> None:
    world, item = finished()
    world.in_flight.add(f"writereport:{item}.1")
    world.decide(item, "reject", content=world.content(item))
    world.settle()
    world.ask(calls.ProjectRemove(project="demo"))
    with pytest.raises(NotFound, match="No registered project is around"):
        world.state.project(f"/trees/{item}")
    world.in_flight.clear()
    world.settle()
    assert f"{item}.1" in world.reports


def test_a_run_that_goes_on_is_reported_as_it_is_now() -> None:
    world, item = finished()
    report = told(world, item)
    assert (report.state, report.finished, report.ended_at, report.resolution) == ("awaiting", False, None, None)
    assert report.through == world.state.trail[item][-1]
    world.ask(calls.Pause(id=item))
    assert told(world, item).state == "paused"
    assert report.unresolved[:3] == (
        "The phase build was not completed.",
        "The phase ship was never started.",
        f"The gate {item}.g1 (approval, build) was never decided.",
    )


def test_a_run_that_is_not_bound_yet_has_no_pins_and_nothing_to_merge() -> None:
    world = World()
    world.project(config(phases=(defined("build", agent="other"),)))
    item = world.add()
    world.start()
    world.step()
    report = told(world, item)
    assert (report.pins.branch, report.pins.pipeline_digest, report.inputs.digest) == (None, None, None)
    assert [(each.agent, each.kind, each.digest) for each in report.bindings] == [("other", None, None)]
    assert report.unresolved == ("The phase build was not completed.",)


def test_what_failed_was_left_out_or_never_decided_is_left_to_do() -> None:
    bad = End(status=1)
    world, item = finished(make=[bad] * 3, scope=[End(result=b"{")] * 3)
    world.decide(item, "skip", "does not matter")
    world.settle()
    world.decide(item, "skip")
    world.settle()
    report = told(world, item)
    assert report.phases[0].reason == "does not matter"
    assert report.unresolved[:4] == (
        "The phase scope was left out: does not matter.",
        "The phase build was left out: skipped at its failure gate.",
        "In build, 'make' has failed at last.",
        "In build, 'lint' has not run at last.",
    )
    assert any("is kept under refs/golem/kept/x" in each for each in report.unresolved)
    assert {each.ref for each in report.kept} == {"refs/golem/kept/x"}


def test_a_failure_that_was_answered_is_no_reason_any_more() -> None:
    world, item = finished(scope=[End(result=b"{")] * 3)
    world.held = {"scope"}
    assert "is not JSON" in str(told(world, item).phases[0].reason)
    world.decide(item, "retry")
    world.settle()
    assert told(world, item).phases[0].reason is None
    world.ask(calls.ItemCancel(id=item, reason="of no use"))
    world.settle()
    assert [(each.state, each.reason) for each in told(world, item).phases] == [
        ("failed", "of no use"),
        ("skipped", "of no use"),
        ("skipped", "of no use"),
    ]


def test_pre_phases_that_were_not_needed_are_not_left_to_do() -> None:
    world = World()
    world.project(config(pre=("scope",)))
    item = world.add()
    world.ask(calls.ItemEdit(id=item, size="small"))
    world.happen(ev.ItemMoved(to=Status.READY), item)
    world.go()
    report = told(world, item)
    assert report.phases[0].state == "skipped"
    assert not any("scope" in each for each in report.unresolved)
    assert "No verify command was configured" in report.unresolved[0]


def test_a_gate_that_was_asked_again_counts_once() -> None:
    world, item = finished()
    world.ask(calls.GateDecide(gate=item, option="approve", content="stale"), content=world.content(item))
    world.decide(item, "abort", "enough", content=world.content(item))
    world.settle()
    report = told(world, item)
    assert [each.state for each in report.gates] == ["superseded", "decided"]
    assert not any("gate" in each for each in report.unresolved)
    assert report.reason == "enough"


def test_what_was_too_large_to_be_kept_is_named() -> None:
    world, item = finished()
    world.decide(item, "reject", content=world.content(item))
    world.happen(ev.WorkKept(run=f"{item}.1", then="removed", listed=("big (too large)",)), item)
    world.settle()
    report = told(world, item)
    assert [(each.ref, each.listed) for each in report.kept] == [(None, ("big (too large)",))]
    assert f"Left out of what was kept of {item}.1: big (too large)." in report.unresolved


def test_an_aborted_attempt_without_an_end_is_reported_with_what_is_known() -> None:
    world, item = finished(ship=[End(lost=True)] * 4)
    world.decide(item, "approve", content=world.content(item))
    world.settle()
    lost = told(world, item).phases[2].attempts[0]
    assert (lost.state, lost.status, lost.duration_s, lost.cost_usd) == ("lost", None, 0.0, None)
    assert told(world, item).phases[2].reason is not None


def test_what_triage_agents_and_people_added_is_reported() -> None:
    world = World()
    world.project(config(pre=("scope",), triage=Triage(), guardrails=Guardrails(max_size="small")))
    item = world.add("Title")
    world.script["triage"] = [End(result={"updated_assessments": {"size": "large"}, "description": {"problem": "p"}})]
    finding = {"severity": "high", "file": "a.py", "line": 7, "title": "a bug", "text": "look\nthere"}
    named = {"findings": [finding], "follow_ups": ["Tidy up", "Title"]}
    world.script["build"] = [End(result=named)]
    world.go()
    world.decide(item, "approve", "large is fine")
    world.settle()
    report = told(world, item)
    assert [each.name for each in report.phases] == ["triage", "scope", "build"]
    assert report.inputs.brief.problem == "p"
    assert [gate.kind for gate in report.gates] == ["guardrail"]
    assert [(each.title, each.line) for each in report.phases[2].findings] == [("a bug", 7)]
    assert [(each.title, bool(each.item)) for each in report.follow_ups] == [("Tidy up", True), ("Title", True)]
    lines = markdown(report).splitlines()
    assert lines[lines.index("problem:") :][:2] == ["problem:", "> p"]
    found = lines.index("- high, a.py:7, a bug")
    assert lines[found + 1 : found + 3] == ["  > look", "  > there"]
    assert f"- Tidy up: {report.follow_ups[0].item}" in lines
    after = world.state.known(report.follow_ups[0].item)
    world.go()
    told_of = told(world, after.id)
    assert told_of.inputs.origin == f"{item}/build"
    assert f"It followed from {item}/build." in markdown(told_of)


def test_follow_ups_that_were_left_out_are_left_to_do() -> None:
    world = World()
    world.project(config(max_follow_ups=0))
    item = world.add("Title")
    world.script["build"] = [End(result={"follow_ups": ["Tidy up"]})]
    world.go()
    report = told(world, item)
    assert any(each.startswith("The follow-up 'Tidy up' was left out: ") for each in report.unresolved)
    assert any(line.startswith("- Tidy up: left out ") for line in markdown(report).splitlines())


def test_what_was_asked_before_there_was_a_run_belongs_to_the_run_that_came_then() -> None:
    world = World()
    world.project(config(guardrails=Guardrails(max_size="small")))
    item = world.add()
    world.ask(calls.ItemEdit(id=item, size="large"))
    world.go()
    world.decide(item, "approve", "fine")
    world.settle()
    assert [(gate.id, gate.kind) for gate in told(world, item).gates] == [(f"{item}.g1", "guardrail")]
    world.reopen(item)
    world.go()
    assert world.report(f"{item}.2").gates == ()


def test_of_many_events_the_last_are_listed() -> None:
    world, item = finished()
    for number in range(LAST_EVENTS + 5):
        world.ask(calls.ItemEdit(id=item, priority=number))
    events = told(world, item).events
    assert len(events) == LAST_EVENTS
    assert events[-1]["data"]["priority"] == LAST_EVENTS + 4


def test_only_the_run_that_is_asked_for_is_told_of() -> None:
    world, item = finished(build=[FAILS])
    world.decide(item, "abort", content=world.content(item))
    world.settle()
    world.reopen(item)
    world.go()
    second = world.report(f"{item}.2")
    assert {each.id.split(".")[1] for each in second.phases[1].attempts} == {"2"}
    assert [each.id for each in second.gates] == [f"{item}.g2"]
    assert {each.attempt.split(".")[1] for each in second.commits} == {"2"}


def test_a_run_that_does_not_exist_is_not_found() -> None:
    world, item = finished()
    with pytest.raises(NotFound) as refused:
        world.report(f"{item}.7")
    assert refused.value.code == "run_not_found"
