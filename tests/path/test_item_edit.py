"""item.edit: what is given is changed, what is left out stays."""

from __future__ import annotations

import pytest

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_what_is_given_is_changed_and_the_rest_stays(daemon: House, demo: Project) -> None:
    item = demo.add("old text", title="old", labels=("a",))
    edited = daemon.call(calls.ItemEdit(id=item, title="new", priority=3, size="small", risk="low"))
    assert (edited.title, edited.priority, edited.size, edited.risk, edited.labels) == (
        "new",
        3,
        "small",
        "low",
        ("a",),
    )
    assert daemon.show(item).description == "old text"
    (record,) = daemon.records("item.edited", item)
    assert set(record["data"]) == {"title", "priority", "assessments", "actor"}


def test_an_empty_list_and_an_empty_text_take_things_away(daemon: House, demo: Project) -> None:
    first = demo.add()
    item = demo.add("text", labels=("a",), dependencies=(first,), title="t")
    daemon.call(calls.ItemEdit(id=item, size="large"))
    edited = daemon.call(calls.ItemEdit(id=item, labels=(), dependencies=(), description="", size=""))
    assert (edited.labels, edited.dependencies, edited.description, edited.size) == ((), (), "", None)


def test_an_edit_of_nothing_says_so_and_records_nothing(daemon: House, demo: Project) -> None:
    item = demo.add()
    before = daemon.seq
    assert daemon.call(calls.ItemEdit(id=item)).note == "nothing to change was given"
    assert daemon.seq == before


@pytest.mark.parametrize(
    ("fields", "code", "kind"),
    [
        ({"id": "WRK-99"}, "item_not_found", "not_found"),
        ({"title": " "}, "empty_title", "invalid"),
        ({"title": "x" * 301}, "title_too_long", "invalid"),
        ({"description": "x" * 100_001}, "description_too_long", "invalid"),
        ({"priority": -1_000_001}, "invalid_priority", "invalid"),
        ({"labels": (" ",)}, "invalid_labels", "invalid"),
        ({"pipeline": "nonsense"}, "unknown_pipeline", "invalid"),
        ({"size": "tiny"}, "invalid_assessment", "invalid"),
        ({"risk": "enormous"}, "invalid_assessment", "invalid"),
        ({"dependencies": ("WRK-99",)}, "item_not_found", "not_found"),
        ({"dependencies": ("WRK-1",)}, "dependency_cycle", "conflict"),
    ],
)
def test_what_an_item_cannot_become_is_refused(
    daemon: House, demo: Project, fields: dict[str, object], code: str, kind: str
) -> None:
    item = demo.add()
    daemon.refused(calls.ItemEdit(**{"id": item, **fields}), code, kind)  # type: ignore[arg-type]  # the table's fields


def test_a_cycle_through_others_is_refused_and_shown(daemon: House, demo: Project) -> None:
    one = demo.add()
    two = demo.add(dependencies=(one,))
    three = demo.add(dependencies=(two,))
    fault = daemon.refused(calls.ItemEdit(id=one, dependencies=(three,)), "dependency_cycle", "conflict")
    assert " → ".join([one, three, two, one]) in fault.message


def test_pipeline_and_base_of_a_run_under_way_are_pinned(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    daemon.until("attempt.spawned", item)
    daemon.refused(calls.ItemEdit(id=item, base="main"), "run_pinned", "conflict")
    assert daemon.call(calls.ItemEdit(id=item, priority=1)).priority == 1


def test_a_base_that_is_not_there_is_named_and_can_be_mended(daemon: House, demo: Project) -> None:
    item = demo.add(base="nowhere")
    demo.run()
    asked = daemon.until("gate.opened", item)["data"]["question"]
    assert "no branch nowhere in" in asked
    assert ". Name an existing one: `golemctl edit ID --base BRANCH`, then retry" in asked
    daemon.call(calls.ItemEdit(id=item, base="main"))
    daemon.refused(calls.ItemEdit(id=item, pipeline="feature"), "run_pinned", "conflict")
    daemon.decide(item, "retry")
    daemon.done(item)


def test_repeating_an_edit_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    item = demo.add()
    first, again = daemon.repeats(calls.ItemEdit(id=item, title="new"))
    assert (first.title, again.title, again.id) == ("new", "new", item)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.reuses(calls.ItemEdit(id=item, title="one"), calls.ItemEdit(id=item, title="two"))
