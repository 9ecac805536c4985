"""gate.list: the open gates, oldest first."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project

ASKS = '[[result {"result": "blocked", "summary": "s", "question": "%s?"}]]'


def test_open_gates_are_listed_oldest_first_with_options_and_default(daemon: House, demo: Project) -> None:
    assert daemon.call(calls.GateList()) == ()
    items = [demo.add(ASKS % word) for word in ("one", "two")]
    demo.run()
    demo.halted()
    gates = daemon.call(calls.GateList())
    assert [gate.item for gate in gates] == items
    first = gates[0]
    assert (first.id, first.kind, first.question, first.default) == (f"{items[0]}.g1", "question", "one?", "answer")
    assert [(option.id, option.text_required) for option in first.options] == [("answer", True), ("abort", False)]
    assert all(option.label and option.effect for option in first.options)
    assert (first.phase, first.attempt, first.state) == ("build", f"{items[0]}.1.build.1", "open")


def test_a_decided_gate_is_no_longer_listed(daemon: House, demo: Project) -> None:
    item = demo.work(ASKS % "one")
    daemon.until("gate.opened", item)
    daemon.decide(item, "abort")
    assert daemon.call(calls.GateList()) == ()


def test_gates_of_one_project_leave_the_others_out(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH")
    for project in (demo, other):
        project.work(ASKS % "one")
        project.halted()
    assert [gate.item for gate in daemon.call(calls.GateList(project="other"))] == ["OTH-1"]
    assert len(daemon.call(calls.GateList())) == 2


def test_gates_of_a_project_that_does_not_exist_are_refused(daemon: House) -> None:
    daemon.refused(calls.GateList(project="nowhere"), "project_not_found", "not_found")


def test_only_narrows_gates_to_items_that_match(daemon: House, demo: Project) -> None:
    asking = demo.add(ASKS % "one", labels=("docs",))
    demo.add(ASKS % "two")
    demo.run()
    demo.halted()
    assert [gate.item for gate in daemon.call(calls.GateList(only=("tag=docs",)))] == [asking]
    shown = daemon.golemctl("gates", "--only", "label=docs", cwd=demo.root)
    assert ("one?" in shown.out, "two?" in shown.out) == (True, False)
    daemon.refused(calls.GateList(only=("label=",)), "invalid_filter", "invalid")
