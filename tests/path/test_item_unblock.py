"""item.unblock: an item's only open gate, decided in its default way."""

from __future__ import annotations

import pytest

from golemd.api import calls
from golemd.api.faults import Conflict
from tests.path.house import House
from tests.path.repositories import Project

ASKS = '[[build.1: result {"result": "blocked", "summary": "s", "question": "Which colour?"}]]'


def _asking(daemon: House, demo: Project) -> str:
    item = demo.work(ASKS)
    daemon.until("gate.opened", item)
    return item


def test_a_question_is_answered_and_the_next_prompt_holds_question_and_answer(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    assert daemon.show(item).status == "blocked"
    daemon.call(calls.ItemUnblock(id=item, answer="the red one"))
    daemon.done(item)
    prompt = (daemon.state / "attempts" / f"{item}.1.build.2" / "prompt.md").read_text(encoding="utf-8")
    assert "Question: Which colour?\nAnswer: the red one" in prompt
    (record,) = daemon.records("gate.decided", item)
    assert (record["data"]["option"], record["data"]["text"]) == ("answer", "the red one")


def test_an_approval_is_approved_and_a_failure_is_retried(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "gate": "approval"}], execution={"max_retries": 0})
    item = project.work("[[build.1: exit 3]]")
    assert daemon.until("gate.opened", item)["data"]["kind"] == "failure"
    daemon.call(calls.ItemUnblock(id=item, notes="mind the step"))
    assert daemon.until("gate.opened", item, kind="approval")["data"]["gate"] == f"{item}.g2"
    prompt = (daemon.state / "attempts" / f"{item}.1.build.2" / "prompt.md").read_text(encoding="utf-8")
    assert "mind the step" in prompt
    daemon.call(calls.ItemUnblock(id=item))
    daemon.done(item)
    assert [record["data"]["option"] for record in daemon.records("gate.decided", item)] == ["retry", "approve"]


def test_a_dispatch_that_halted_for_want_of_a_human_goes_on(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    demo.halted()
    daemon.call(calls.ItemUnblock(id=item, answer="red"))
    daemon.done(item)
    assert [record["data"].get("used", 0) for record in daemon.records("dispatch.started")] == [0, 1]


def test_after_a_stop_the_answer_says_that_nothing_is_dispatched(daemon: House, demo: Project) -> None:
    item = demo.add(ASKS)
    demo.run(continuous=True)
    daemon.until("gate.opened", item)
    daemon.call(calls.RunStop(project="demo"))
    view = daemon.call(calls.ItemUnblock(id=item, answer="red"))
    assert "golemctl run" in (view.note or "")


def test_an_item_without_an_open_gate_is_refused(daemon: House, demo: Project) -> None:
    fault = daemon.refused(calls.ItemUnblock(id=demo.add()), "not_blocked", "conflict")
    assert "golemctl why WRK-1" in fault.hint


def test_an_unknown_item_is_refused(daemon: House, demo: Project) -> None:
    with pytest.raises(Exception, match="WRK-1") as caught:
        daemon.call(calls.ItemUnblock(id="WRK-1"))
    assert getattr(caught.value, "CLASS", "") == "not_found"


def test_a_question_without_an_answer_is_refused(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    demo.halted()
    daemon.refused(calls.ItemUnblock(id=item), "text_required", "invalid")
    daemon.refused(calls.ItemUnblock(id=item, answer="x" * 100_001), "text_too_long", "invalid")


def test_an_item_that_has_ended_is_refused(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.call(calls.ItemCancel(id=item))
    with pytest.raises(Conflict):
        daemon.call(calls.ItemUnblock(id=item))


def test_repeating_an_unblock_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    demo.halted()
    first, again = daemon.repeats(calls.ItemUnblock(id=item, answer="red"))
    assert (first.id, again.id) == (item, item)
    daemon.done(item)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    item = _asking(daemon, demo)
    demo.halted()
    daemon.reuses(calls.ItemUnblock(id=item, answer="red"), calls.ItemUnblock(id=item, answer="blue"))
