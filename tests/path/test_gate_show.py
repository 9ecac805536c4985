"""gate.show: what a person needs to decide."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_an_approval_shows_effect_files_evidence_claim_and_what_it_holds_up(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "gate": "approval", "verify": ["test -f a.txt"]}])
    item = project.add("[[write a.txt one]] [[write b.txt two]]", title="Two files")
    waiting = project.add(dependencies=(item,))
    project.run()
    daemon.until("gate.opened", item)
    gate = daemon.call(calls.GateShow(gate=f"{item}.g1"))
    assert (gate.kind, gate.key, gate.title, gate.holds_up) == ("approval", "approval", "Two files", (waiting,))
    assert gate.files == ("a.txt", "b.txt")
    assert gate.diffstat == "2 files +2 -0"
    assert gate.summary == "did: write a.txt, write b.txt"
    assert [(each.command, each.outcome, each.tree) for each in gate.evidence] == [
        ("test -f a.txt", "passed", gate.content.tree)
    ]
    assert gate.content.tree == project.git("rev-parse", f"golem/{item}^{{tree}}")
    assert gate.content.commit == project.git("rev-parse", f"golem/{item}")
    assert [option.id for option in gate.options] == ["approve", "request_changes", "reject", "abort"]
    assert all(option.effect for option in gate.options)


def test_an_item_stands_for_its_only_open_gate(daemon: House, demo: Project) -> None:
    item = demo.work('[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]')
    daemon.until("gate.opened", item)
    assert daemon.call(calls.GateShow(gate=item)).id == f"{item}.g1"


def test_a_decided_gate_shows_who_decided_what(daemon: House, demo: Project) -> None:
    item = demo.work(
        '[[build.1: result {"result": "blocked", "summary": "s", "question": "Which?"}]] [[build.2: sleep 600]]'
    )
    daemon.until("gate.opened", item)
    daemon.decide(item, "answer", "this one")
    gate = daemon.call(calls.GateShow(gate=f"{item}.g1"))
    assert gate.state == "decided"
    assert gate.decision is not None
    assert (gate.decision.option, gate.decision.text, gate.decision.actor.client) == ("answer", "this one", "golemctl")


def test_a_gate_of_an_item_that_has_ended_is_to_be_seen_with_its_item(daemon: House, demo: Project) -> None:
    item = demo.work('[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]')
    daemon.until("gate.opened", item)
    daemon.call(calls.ItemCancel(id=item))
    daemon.until("report.written", item)
    for named in (f"{item}.g1", item):
        assert daemon.refused(calls.GateShow(gate=named), "run_over", "conflict").hint == f"golemctl show {item}"


def test_an_unknown_gate_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.GateShow(gate=f"{demo.add()}.g1"), "gate_not_found", "not_found")


def test_an_item_without_a_gate_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.GateShow(gate=demo.add()), "not_blocked", "conflict")
