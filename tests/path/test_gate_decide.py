"""gate.decide: refusals in their order, tokens, and what a decision holds. What options do is in test_gates.py."""

from __future__ import annotations

import os

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project

ASKS = '[[build.1: result {"result": "blocked", "summary": "s", "question": "Which?"}]]'


def _asking(daemon: House, demo: Project, description: str = ASKS) -> str:
    item = demo.work(description)
    demo.halted()
    return item


def test_a_decision_holds_option_text_actor_and_token(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    call = calls.GateDecide(gate=f"{item}.g1", option="answer", text="red", token="t-1", client="my tool")
    assert daemon.call(call).id == item
    (record,) = daemon.records("gate.decided", item)
    data = record["data"]
    assert (data["option"], data["text"], data["token"], record["cause"]) == ("answer", "red", "t-1", "t-1")
    assert (data["actor"]["uid"], data["actor"]["client"]) == (os.getuid(), "my tool")
    assert data["actor"]["host"]
    daemon.done(item)


def test_an_unknown_gate_is_refused_before_all_else(daemon: House, demo: Project) -> None:
    item = demo.add(title="t")
    daemon.call(calls.ItemEdit(id=item, title="u", token="used"))
    call = calls.GateDecide(gate=f"{item}.g1", option="nonsense", token="used")
    daemon.refused(call, "gate_not_found", "not_found")


def test_an_item_that_is_not_blocked_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.GateDecide(gate=demo.add(), option="approve"), "not_blocked", "conflict")


def test_a_gate_of_a_run_that_is_over_is_refused(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    daemon.call(calls.ItemCancel(id=item))
    for last in ("work.kept", "report.written"):
        daemon.until(last, item)
    daemon.refused(calls.GateDecide(gate=f"{item}.g1", option="answer", text="x"), "run_over", "conflict")


def test_a_decided_gate_is_refused_with_what_was_decided_and_by_whom(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo, ASKS + "[[build.2: sleep 600]]")
    daemon.decide(item, "answer", "red")
    daemon.until("attempt.spawned", item, count=2)
    fault = daemon.refused(calls.GateDecide(gate=f"{item}.g1", option="nonsense"), "gate_not_open", "conflict")
    assert (fault.data["option"], fault.data["text"], fault.data["uid"]) == ("answer", "red", os.getuid())
    assert "answer, by " in fault.message


def test_an_option_that_the_gate_does_not_have_is_refused_with_those_it_has(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    fault = daemon.refused(calls.GateDecide(gate=f"{item}.g1", option="approve"), "unknown_option", "invalid")
    assert "answer, abort" in fault.hint


def test_a_missing_and_a_huge_text_are_refused(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    daemon.refused(calls.GateDecide(gate=item, option="answer", text=" "), "text_required", "invalid")
    daemon.refused(calls.GateDecide(gate=item, option="answer", text="x" * 100_001), "text_too_long", "invalid")


def test_repeating_a_decision_by_token_answers_the_first_and_has_no_second_effect(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    first, again = daemon.repeats(calls.GateDecide(gate=f"{item}.g1", option="answer", text="red"))
    assert (first.id, again.id) == (item, item)
    daemon.done(item)
    assert len(daemon.records("gate.decided", item)) == 1


def test_the_token_of_a_decision_is_known_after_its_item_has_ended(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    call = calls.GateDecide(gate=f"{item}.g1", option="answer", text="red", token="t-1")
    daemon.call(call)
    for last in ("work.kept", "report.written"):
        daemon.until(last, item)
    daemon.restart()
    again = daemon.call(call)
    assert (again.id, again.status, again.repeated) == (item, "done", True)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    gate = f"{item}.g1"
    daemon.reuses(
        calls.GateDecide(gate=gate, option="answer", text="red"),
        calls.GateDecide(gate=gate, option="answer", text="blue"),
    )
