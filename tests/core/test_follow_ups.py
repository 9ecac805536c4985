"""Follow-ups: they become items, up to quotas, and never twice."""

from __future__ import annotations

from typing import Any

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.faults import Fault
from golemd.api.model import Assessments, FollowUp, Status
from golemd.core.decide.follow_ups import normalised
from golemd.core.prompt import prompt_for
from tests.core.world import ALICE, End, World, config, picture


def world_with(*follow_ups: Any, result: str = "phase_complete", **execution: Any) -> tuple[World, str]:
    world = World()
    world.project(config(phases=("build", "check"), **execution))
    item = world.add("Fix it")
    world.script["build"] = [End(result={"result": result, "question": "?", "follow_ups": list(follow_ups)})]
    world.held = {"check"}
    world.start(cap=2)
    world.settle()
    return world, item


def titles(world: World) -> list[str]:
    return [item.title for item in world.state.items.values()]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Tidy up", " tidy  UP "), ("Fix: the login!", "fix the login"), ("Straße", "STRASSE"), ("a_b", "a b")],
)
def test_titles_are_compared_by_their_words(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize("result", ["phase_complete", "subphase_complete", "blocked"])
def test_follow_ups_become_items_that_know_where_they_came_from(result: str) -> None:
    whole = {"title": "Tidy", "context": "It is messy.", "suggested_size": "small", "suggested_risk": "low"}
    world, item = world_with("Write docs", whole, result=result)
    assert titles(world) == ["Fix it", "Write docs", "Tidy"]
    found = world.item("DEMO-3")
    assert (found.origin, found.depth, found.description) == (f"{item}/build", 1, "It is messy.")
    assert found.assessments == Assessments(size="small", risk="low")
    assert world.run(item).follow_ups == (FollowUp("Write docs", "DEMO-2"), FollowUp("Tidy", "DEMO-3"))
    assert picture(world.replay()) == picture(world.state)


def test_those_of_a_failed_attempt_are_not_taken() -> None:
    world, _ = world_with("Write docs", result="failed")
    assert titles(world) == ["Fix it"]


def test_what_is_active_already_is_linked_and_not_added_again() -> None:
    world, item = world_with("fix IT!", "Docs", "docs")
    assert titles(world) == ["Fix it", "Docs"]
    assert [(each.item, each.why) for each in world.run(item).follow_ups] == [
        (item, "there already"),
        ("DEMO-2", ""),
        ("DEMO-2", "there already"),
    ]
    assert world.run(item).follow_ups_added == 1


def test_a_run_adds_no_more_than_its_quota_and_says_what_it_left_out() -> None:
    world, item = world_with(*[f"Thing {n}" for n in range(1000)], max_follow_ups=3)
    assert len(titles(world)) == 4
    left = [each for each in world.run(item).follow_ups if not each.item]
    assert len(left) == 97
    assert "max_follow_ups" in left[0].why
    assert "names 1000" in world.run(item).phases[0].warnings[0]


def test_generations_are_bounded() -> None:
    world = World()
    world.project(config(max_follow_up_depth=1))
    item = world.add()
    world.script["build"] = [End(result={"follow_ups": [title]}) for title in ("Child", "Grandchild")]
    world.start(cap=1)
    world.settle()
    world.held = {"build"}
    world.start(cap=9)
    world.settle()
    world.end("DEMO-2.1.build.1")
    world.calm()
    child = world.state.known("DEMO-2")
    assert child.origin == f"{item}/build"
    accepted = [record.data for record in world.records if record.type == "attempt.accepted"]
    assert isinstance(accepted[-1], ev.AttemptAccepted)
    (left,) = accepted[-1].follow_ups
    assert (left.title, left.item) == ("Grandchild", "")
    assert "generation 2" in left.why


def test_a_follow_up_is_told_whose_it_is() -> None:
    world, item = world_with("Child")
    world.start(cap=9)
    world.settle()
    assert f"Follow-up of: {item}/build" in prompt_for(world.state, world.run("DEMO-2"), 1)


def test_a_running_agent_may_ask_for_them_too() -> None:
    world = World()
    world.project(config(max_follow_ups=1))
    item = world.add("Fix it")
    world.held = {"build"}
    world.go()
    agent = f"{item}.1.build.1"
    drafts = world.ask(calls.ItemAdd(title=" Docs ", description="why"), agent=agent).drafts
    assert isinstance(drafts[0].event, ev.ItemAdded)
    assert (drafts[0].event.title, drafts[0].event.origin) == ("Docs", f"{item}/build")
    for title, code in (("docs", "follow_up_exists"), ("More", "follow_up_refused")):
        with pytest.raises(Fault) as refused:
            world.ask(calls.ItemAdd(title=title), agent=agent)
        assert refused.value.code == code


def test_those_that_an_agent_asked_for_while_it_ran_count_with_those_of_its_result() -> None:
    world = World()
    world.project(config(max_follow_ups=3))
    item = world.add("Fix it")
    world.held = {"build"}
    world.go()
    agent = f"{item}.1.build.1"
    for title in ("One", "Two"):
        world.ask(calls.ItemAdd(title=title), agent=agent)
    world.ask(calls.ItemCancel(id="DEMO-2"))
    world.end(agent, End(result={"result": "blocked", "question": "?", "follow_ups": ["One again", "Three", "Four"]}))
    world.calm()
    assert [bool(each.item) for each in world.run(item).follow_ups] == [True, False, False]
    assert world.run(item).follow_ups_added == 3
    assert picture(world.replay()) == picture(world.state)


def test_what_somebody_imports_as_a_follow_up_takes_no_room_and_another_run_has_all_of_it() -> None:
    world = World()
    world.project(config(max_follow_ups=1))
    item = world.add("Fix it")
    for number, title in ((1, "One"), (2, "Two")):
        world.held = {"build"}
        world.start()
        world.calm()
        imported = ev.ItemAdded(
            title="Old", number=90 + number, status=Status.DONE, pipeline="feature", origin=item, actor=ALICE
        )
        world.happen(imported, f"DEMO-{90 + number}")
        assert world.ask(calls.ItemAdd(title=title), agent=f"{item}.{number}.build.1").drafts
        assert world.run(item).follow_ups_added == 1
        world.held = set()
        world.settle()
        world.reopen(item)
