"""Items: every command in every status, and every check of what is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Pipeline
from golemd.api.faults import Fault
from golemd.api.model import Assessments, Status
from golemd.core.decide import triage
from tests.core.world import World, config, phase, picture


def world_with(status: str) -> tuple[World, str]:
    """A world with one item of that status."""
    pre = ("scope",) if status == "scoping" else ()
    gate = ("approval",) if status == "blocked" else ()
    world = World()
    world.project(config(phases=(phase("build", gate=gate),), pre=pre))
    item = world.add()
    if status == "new":
        world.happen(ev.ItemMoved(to=Status.NEW), item)
    elif status == "in_progress":
        world.held = {"build"}
        world.go()
    elif status in ("blocked", "done"):
        world.go()
    elif status == "cancelled":
        world.ask(calls.ItemCancel(id=item))
    assert world.status(item) == status
    return world, item


EDIT: Final = "item.edited"
CANCEL: Final = "item.cancelled"
REOPEN: Final = "item.reopened"
TABLE: Final[dict[str, tuple[str, ...]]] = {  # the event, or the refusal; nothing when it holds already
    # edit, cancel, reopen, unblock, decide
    "new": (EDIT, CANCEL, "not_ended", "not_blocked", "not_blocked"),
    "scoping": (EDIT, CANCEL, "not_ended", "not_blocked", "not_blocked"),
    "ready": (EDIT, CANCEL, "not_ended", "not_blocked", "not_blocked"),
    "in_progress": (EDIT, CANCEL, "not_ended", "not_blocked", "not_blocked"),
    "blocked": (EDIT, CANCEL, "not_ended", "gate.decided", "gate.decided"),
    "done": ("item_ended", "item_ended", REOPEN, "run_over", "run_over"),
    "cancelled": ("item_ended", "", REOPEN, "run_over", "run_over"),
}
COMMANDS: Final[dict[str, Callable[[World, str], Any]]] = {
    "edit": lambda world, item: world.ask(calls.ItemEdit(id=item, priority=5)),
    "cancel": lambda world, item: world.ask(calls.ItemCancel(id=item)),
    "reopen": lambda world, item: world.reopen(item),
    "unblock": lambda world, item: world.ask(calls.ItemUnblock(id=item)),
    "decide": lambda world, item: world.decide(item, "approve"),
}


def test_the_table_holds_every_status() -> None:
    assert set(TABLE) == {str(status) for status in Status}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("status", TABLE)
def test_each_command_in_each_status_does_what_the_table_says(status: str, command: str) -> None:
    world, item = world_with(status)
    before = picture(world.state)
    expected = TABLE[status][list(COMMANDS).index(command)]
    if expected and "." not in expected:
        with pytest.raises(Fault) as refused:
            COMMANDS[command](world, item)
        assert refused.value.code == expected
        assert picture(world.state) == before
        return
    decided = COMMANDS[command](world, item)
    assert (expected in {draft.event.TYPE for draft in decided.drafts}) is bool(expected)
    assert decided.drafts or decided.note


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_item_is_an_error_for_every_command(command: str) -> None:
    world, _ = world_with("ready")
    with pytest.raises(Fault) as refused:
        COMMANDS[command](world, "DEMO-99")
    assert refused.value.code == ("gate_not_found" if command == "decide" else "item_not_found")


def test_an_item_gets_the_next_free_number_of_its_projects_prefix() -> None:
    world = World()
    world.project()
    assert [world.add(), world.add()] == ["DEMO-1", "DEMO-2"]
    world.ask(calls.ItemCancel(id="DEMO-1"))
    world.ask(calls.ItemCancel(id="DEMO-2"))
    world.ask(calls.ProjectRemove(project="demo"))
    world.project()
    assert world.add() == "DEMO-3", "ids of ended items are never given again"


def test_a_new_item_keeps_what_was_given() -> None:
    world = World()
    world.project()
    first = world.add()
    given = {"description": "text", "priority": 3, "labels": (" a ", "a", "b"), "dependencies": (first, first)}
    item = world.item(world.add(" Title ", base="dev", vars={"x": "1"}, **given))
    assert (item.title, item.description, item.priority, item.base) == ("Title", "text", 3, "dev")
    assert (item.labels, item.dependencies, item.vars) == (("a", "b"), (first,), {"x": "1"})
    assert item.created_at == item.updated_at == "2026-11-21T12:00:00.000000Z"


BAD: Final[dict[str, dict[str, Any]]] = {
    "empty_title": {"title": " "},
    "title_too_long": {"title": "x" * 301},
    "description_too_long": {"description": "x" * 100_001},
    "invalid_priority": {"priority": 1_000_001},
    "invalid_labels": {"labels": ("",)},
    "unknown_pipeline": {"pipeline": "nope"},
    "item_not_found": {"dependencies": ("DEMO-9",)},
    "too_many_dependencies": {"dependencies": tuple(f"D-{n}" for n in range(201))},
}


@pytest.mark.parametrize("code", BAD)
def test_what_is_wrong_is_refused_on_add_and_on_edit_and_changes_nothing(code: str) -> None:
    world = World()
    world.project()
    item = world.add()
    before = picture(world.state)
    asked: list[calls.Change[Any]] = [
        calls.ItemAdd(**{"title": "t", **BAD[code]}),
        calls.ItemEdit(id=item, **BAD[code]),
    ]
    for call in asked:
        with pytest.raises(Fault) as refused:
            world.ask(call)
        assert refused.value.code == code
        assert refused.value.hint
    assert picture(world.state) == before


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"title": ""}, "empty_title"),
        ({"title": "a\nb"}, "title_too_long"),
        ({"labels": ("x" * 65,)}, "invalid_labels"),
        ({"labels": tuple(f"l{n}" for n in range(51))}, "invalid_labels"),
        ({"size": "huge"}, "invalid_assessment"),
        ({"risk": "small"}, "invalid_assessment"),
    ],
)
def test_edit_refuses_what_is_wrong(fields: dict[str, Any], code: str) -> None:
    world = World()
    world.project()
    with pytest.raises(Fault) as refused:
        world.ask(calls.ItemEdit(id=world.add(), **fields))
    assert refused.value.code == code


@pytest.mark.parametrize("given", [{"1x": "v"}, {f"v{n}": "" for n in range(101)}, {"x": "y" * 100_001}])
def test_variables_are_bounded_and_have_plain_names(given: dict[str, str]) -> None:
    world = World()
    world.project()
    with pytest.raises(Fault) as refused:
        world.add(vars=given)
    assert refused.value.code == "invalid_vars"


def test_edit_changes_what_is_given_and_leaves_the_rest() -> None:
    world = World()
    world.project(config(more={"quick": Pipeline("quick", (), (phase("only"),))}))
    item = world.add("Old", description="d", labels=("l",))
    world.ask(calls.ItemEdit(id=item, title=" New ", priority=2, pipeline="quick", base="dev", size="large"))
    world.ask(calls.ItemEdit(id=item, risk="high", labels=("m",), dependencies=()))
    world.ask(calls.ItemEdit(id=item, size=""))
    found = world.item(item)
    assert (found.title, found.description, found.priority) == ("New", "d", 2)
    assert (found.pipeline, found.base, found.labels) == ("quick", "dev", ("m",))
    assert found.assessments == Assessments(risk="high")


def test_an_edit_without_changes_says_so() -> None:
    world = World()
    world.project()
    decided = world.ask(calls.ItemEdit(id=world.add()))
    assert (decided.drafts, decided.note) == ((), "nothing to change was given")


@pytest.mark.parametrize("change", [{"pipeline": "feature"}, {"base": "dev"}])
def test_what_a_run_has_pinned_cannot_be_edited_under_it(change: dict[str, Any]) -> None:
    world, item = world_with("in_progress")
    with pytest.raises(Fault) as refused:
        world.ask(calls.ItemEdit(id=item, **change))
    assert refused.value.code == "run_pinned"


def test_a_dependency_cycle_is_refused_with_its_path_also_through_ended_items() -> None:
    world = World()
    world.project()
    a = world.add()
    b = world.add(dependencies=(a,))
    c = world.add(dependencies=(a, b))
    world.ask(calls.ItemCancel(id=b))
    with pytest.raises(Fault) as refused:
        world.ask(calls.ItemEdit(id=a, dependencies=(c,)))
    assert refused.value.code == "dependency_cycle"
    assert refused.value.data == {"path": [c, a]}
    with pytest.raises(Fault, match=f"{a} → {b} → {a}"):
        world.ask(calls.ItemEdit(id=a, dependencies=(b,)))
    with pytest.raises(Fault, match=f"{a} → {a}"):
        world.ask(calls.ItemEdit(id=a, dependencies=(a,)))
    d = world.add(dependencies=(b, c))
    with pytest.raises(Fault, match=f"{a} → {d} → {b} → {a}"):
        world.ask(calls.ItemEdit(id=a, dependencies=(d,)))
    world.ask(calls.ItemEdit(id=c, dependencies=(b,)))
    assert world.item(c).dependencies == (b,)


@pytest.mark.parametrize(
    ("assessed", "pre", "status"),
    [
        (Assessments(), (), Status.READY),
        (Assessments(), ("scope",), Status.SCOPING),
        (Assessments(size="small"), ("scope",), Status.READY),
        (Assessments(size="small", risk="low"), ("scope",), Status.READY),
        (Assessments(size="small", risk="medium"), ("scope",), Status.SCOPING),
        (Assessments(size="medium", risk="low"), ("scope",), Status.SCOPING),
    ],
)
def test_small_items_of_low_risk_need_no_scoping(assessed: Assessments, pre: tuple[str, ...], status: Status) -> None:
    assert triage.first_status(config(pre=pre), "feature", assessed) is status


def test_cancel_ends_a_running_agent_closes_the_gate_and_keeps_the_branch() -> None:
    world, item = world_with("in_progress")
    world.ask(calls.ItemCancel(id=item, reason="no longer wanted"))
    assert world.state.items[item].resolution == "cancelled"
    world.settle()
    assert world.types(item)[-6:] == [
        "run.aborted",
        "item.cancelled",
        "attempt.exited",
        "attempt.rejected",
        "work.kept",
        "report.written",
    ]
    assert world.state.ended[item].branch == f"golem/{item}"
    assert picture(world.replay()) == picture(world.state)


def test_cancelling_a_blocked_item_supersedes_its_gate_first() -> None:
    world, item = world_with("blocked")
    world.ask(calls.ItemCancel(id=item))
    assert world.types(item)[-3:] == ["gate.superseded", "run.aborted", "item.cancelled"]
    assert world.state.open_gates(item) == []


def test_what_is_still_being_put_away_is_neither_edited_nor_decided_nor_reopened() -> None:
    world, item = world_with("in_progress")
    world.ask(calls.ItemCancel(id=item))
    refusals = {"item_ended": calls.ItemEdit(id=item, priority=1), "still_ending": calls.ItemReopen(id=item)}
    refusals["run_over"] = calls.ItemUnblock(id=item)
    for code, call in refusals.items():
        with pytest.raises(Fault) as refused:
            world.ask(call)
        assert refused.value.code == code
    assert "already" in world.ask(calls.ItemCancel(id=item)).note


def test_a_reopened_item_begins_anew_with_its_text_and_a_fresh_run() -> None:
    world = World()
    world.project()
    item = world.add(description="all of it", vars={"x": "1"}, labels=("l",))
    world.go()
    world.reopen(item)
    found = world.item(item)
    assert (found.description, found.vars, found.labels) == ("all of it", {"x": "1"}, ("l",))
    assert (found.status, found.resolution, found.run, found.runs) == (Status.READY, "", "", 1)
    world.go()
    assert world.state.ended[item].run == f"{item}.2"
    assert picture(world.replay()) == picture(world.state)


def test_what_is_held_of_an_item_is_all_of_it_until_it_ends_for_the_first_time() -> None:
    world = World()
    world.project(config(phases=("one",)))
    item = world.add()
    seen = [world.state.has_all_of(item)]
    world.held = {"one"}
    world.go()
    seen.append(world.state.has_all_of(item))
    world.held.clear()
    world.settle()
    seen.append(world.state.has_all_of(item))
    world.reopen(item)
    assert [*seen, world.state.has_all_of(item)] == [True, True, False, False]


def test_an_item_whose_records_or_project_are_gone_cannot_be_reopened() -> None:
    world, item = world_with("cancelled")
    with pytest.raises(Fault) as refused:
        world.ask(calls.ItemReopen(id=item))
    assert refused.value.code == "item_not_found"
    world.ask(calls.ProjectRemove(project="demo"))
    with pytest.raises(Fault) as refused:
        world.reopen(item)
    assert refused.value.code == "project_not_found"
