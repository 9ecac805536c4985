"""item.add: a new item in the backlog."""

from __future__ import annotations

import pytest

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_an_added_item_is_answered_recorded_and_listed(daemon: House, demo: Project) -> None:
    first = demo.add()
    added = daemon.call(
        calls.ItemAdd(
            project="demo",
            title="  Fix the login ",
            description="It is broken.",
            priority=7,
            labels=("ui", "ui", "urgent"),
            dependencies=(first,),
            vars={"colour": "red"},
        )
    )
    assert (added.id, added.title, added.status, added.pipeline) == ("WRK-2", "Fix the login", "ready", "feature")
    assert (added.priority, added.labels, added.dependencies) == (7, ("ui", "urgent"), (first,))
    assert "waits for WRK-1" in (added.why or "")
    record = daemon.records("item.added", "WRK-2")[0]
    assert record["data"]["vars"] == {"colour": "red"}
    assert record["data"]["actor"]["client"] == "golemctl"
    assert daemon.show("WRK-2").description == "It is broken."


def test_the_only_project_and_the_one_around_a_folder_need_no_name(daemon: House, demo: Project) -> None:
    (demo.root / "deep").mkdir()
    assert daemon.call(calls.ItemAdd(title="one")).project == "demo"
    assert daemon.call(calls.ItemAdd(project=str(demo.root / "deep"), title="two")).project == "demo"


def test_items_of_a_pipeline_with_pre_phases_are_scoped_first(daemon: House) -> None:
    project = daemon.project(pre_phases=[{"name": "research"}])
    assert daemon.show(project.add()).status == "scoping"


@pytest.mark.parametrize(
    ("fields", "code", "kind"),
    [
        ({"title": "  "}, "empty_title", "invalid"),
        ({"title": "x" * 301}, "title_too_long", "invalid"),
        ({"title": "two\nlines"}, "title_too_long", "invalid"),
        ({"description": "x" * 100_001}, "description_too_long", "invalid"),
        ({"priority": 1_000_001}, "invalid_priority", "invalid"),
        ({"labels": ("",)}, "invalid_labels", "invalid"),
        ({"labels": ("x",) * 51}, "invalid_labels", "invalid"),
        ({"pipeline": "nonsense"}, "unknown_pipeline", "invalid"),
        ({"dependencies": ("WRK-99",)}, "item_not_found", "not_found"),
        ({"vars": {"1st": "x"}}, "invalid_vars", "invalid"),
        ({"vars": {"long": "x" * 100_001}}, "invalid_vars", "invalid"),
        ({"project": "nowhere"}, "project_not_found", "not_found"),
        ({"token": "seq:5"}, "invalid_token", "invalid"),
        ({"token": "ü" * 65}, "invalid_token", "invalid"),
    ],
)
def test_what_cannot_be_an_item_is_refused(
    daemon: House, demo: Project, fields: dict[str, object], code: str, kind: str
) -> None:
    whole = {"project": "demo", "title": "good", **fields}
    daemon.refused(calls.ItemAdd(**whole), code, kind)  # type: ignore[arg-type]  # the table's fields


def test_more_dependencies_than_allowed_are_refused(daemon: House, demo: Project) -> None:
    many = tuple(f"WRK-{number}" for number in range(1, 202))
    daemon.refused(calls.ItemAdd(title="t", dependencies=many), "too_many_dependencies", "invalid")


def test_without_a_project_nothing_can_be_added(daemon: House) -> None:
    daemon.refused(calls.ItemAdd(title="t"), "project_not_found", "not_found")


def test_with_several_projects_one_must_be_named(daemon: House, demo: Project) -> None:
    daemon.project("other", prefix="OTH")
    daemon.refused(calls.ItemAdd(title="t"), "project_needed", "invalid")


def test_repeating_an_add_by_token_answers_the_same_item_with_todays_model(daemon: House, demo: Project) -> None:
    first, again = daemon.repeats(calls.ItemAdd(project="demo", title="once"))
    assert (first.id, again.id) == ("WRK-1", "WRK-1")
    call = calls.ItemAdd(project="demo", title="twice", token="my-token")
    made = daemon.call(call)
    daemon.call(calls.ItemEdit(id=made.id, title="renamed"))
    assert (daemon.call(call).id, daemon.call(call).title) == (made.id, "renamed")


def test_a_token_is_remembered_over_a_crash(daemon: House, demo: Project) -> None:
    call = calls.ItemAdd(project="demo", title="once", token="my-token")
    made = daemon.call(call)
    daemon.kill9()
    daemon.start()
    again = daemon.call(call)
    assert (again.id, again.repeated) == (made.id, True)
    assert len(daemon.records("item.added")) == 1


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    daemon.reuses(calls.ItemAdd(title="one"), calls.ItemAdd(title="two"))
