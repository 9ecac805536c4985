"""triage: new items are assessed, and nothing else is started."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.test_triage_phase import TRIAGE


def test_new_items_are_triaged_and_nothing_else_is_started(daemon: House) -> None:
    project = daemon.project(more=TRIAGE)
    first, second = project.add(), project.add()
    started = daemon.call(calls.Triage(project=project.name))
    assert started.dispatch.triage
    halted = project.halted()
    assert halted["data"]["reason"] == "all_done_or_blocked"
    status = daemon.call(calls.Status())
    assert [item.status for item in status.items if item.id in (first, second)] == ["ready", "ready"]


def test_only_the_items_that_are_named(daemon: House) -> None:
    project = daemon.project(more=TRIAGE)
    first, second = project.add(), project.add()
    daemon.call(calls.Triage(ids=(second,)))
    assert project.halted()["data"]["reason"] == "target_done"
    views = {item.id: item.status for item in daemon.call(calls.Status()).items}
    assert views == {first: "new", second: "ready"}
    daemon.refused(calls.Triage(ids=(second,)), "not_new", "conflict")


def test_without_triage_it_says_how_to_turn_it_on(daemon: House) -> None:
    daemon.project()
    daemon.refused(calls.Triage(), "triage_off", "invalid")
    daemon.refused(calls.Triage(ids=("WRK-9",)), "item_not_found", "not_found")
