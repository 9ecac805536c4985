"""Triage with a real daemon: it reads the project's own folder, chooses, asks, and writes nothing there."""

from __future__ import annotations

import json
from typing import Any

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import RESULT, Project

TRIAGE = "[triage]\nenabled = true\n"
QUICK = {"quick": [{"name": "only"}]}


def says(phase: str, **result: Any) -> str:
    return f"[[{phase}: result {json.dumps({'result': 'phase_complete', **result})}]]"


def _project(daemon: House, more: str = TRIAGE, **fields: Any) -> Project:
    return daemon.project(pre_phases=[{"name": "scope"}], pipelines=QUICK, more=more, **fields)


def test_a_new_item_is_assessed_routed_and_worked_on(daemon: House) -> None:
    project = _project(daemon)
    assessed = {"size": "medium", "risk": "low"}
    item = project.work(says("triage", updated_assessments=assessed) + "[[write a.txt x]]")
    daemon.done(item)
    view = daemon.call(calls.ItemShow(id=item))
    assert [phase.name for phase in view.phases if phase.state == "completed"] == ["triage", "scope", "build"]
    assert (view.size, view.risk) == ("medium", "low")
    assert project.file_of(item, "a.txt") == "x"
    assert project.git("status", "--porcelain") == "", "directives without a prefix are not carried out in triage"


def test_triage_chooses_a_pipeline_and_its_prompt_names_them(daemon: House) -> None:
    project = _project(daemon)
    item = project.work(says("triage", pipeline_type="quick", description={"problem": "slow"}))
    daemon.done(item)
    view = daemon.call(calls.ItemShow(id=item))
    assert view.pipeline == "quick"
    prompt = (daemon.state / "attempts" / f"{item}.1.triage.1" / "prompt.md").read_text(encoding="utf-8")
    assert "- quick: only" in prompt
    later = (daemon.state / "attempts" / f"{item}.1.only.1" / "prompt.md").read_text(encoding="utf-8")
    assert "Problem: slow" in later


def test_guardrails_and_duplicates_wait_for_a_human(daemon: House) -> None:
    project = _project(daemon)
    first = project.add(says("triage", updated_assessments={"size": "large"}), title="Log in")
    project.run()
    gate = daemon.until("gate.opened", first)["data"]
    assert (gate["kind"], "size large (at most medium)" in gate["question"]) == ("guardrail", True)
    detail = daemon.call(calls.GateShow(gate=gate["gate"]))
    assert [option.id for option in detail.options] == ["approve", "reject"]
    second = project.add(says("triage", duplicates=[first]), title="Login")
    project.run()
    twin = daemon.until("gate.opened", second)["data"]
    assert twin["kind"] == "duplicate"
    assert daemon.decide(second, "merge").resolution == f"duplicate of {first}"
    daemon.decide(first, "approve")
    daemon.done(first)


def test_its_agent_works_in_the_projects_folder_and_may_only_read(daemon: House) -> None:
    agents = daemon.agent("looker", f'pwd > "$GOLEM_RESULT.pwd"; {RESULT}')
    project = _project(daemon, more=TRIAGE + 'agent = "looker"\n', agents=agents)
    item = project.work()
    daemon.done(item)
    place = daemon.state / "attempts" / f"{item}.1.triage.1" / "result.json.pwd"
    assert place.read_text(encoding="utf-8").strip() == str(project.root)


def test_follow_ups_become_items_of_the_backlog(daemon: House) -> None:
    project = daemon.project()
    item = project.work(says("build", follow_ups=["Write the docs", {"title": "Tidy up", "suggested_size": "small"}]))
    daemon.done(item)
    project.halted()
    views = {view.title: view for view in daemon.call(calls.Status(all=True)).items}
    assert views["Write the docs"].origin == f"{item}/build"
    assert views["Tidy up"].size == "small"
    shown = daemon.call(calls.ItemShow(id=item))
    assert [each.title for each in shown.runs[0].follow_ups] == ["Write the docs", "Tidy up"]
