"""item.why: why an item is not running, in words."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def _why(daemon: House, item: str) -> str:
    return daemon.call(calls.ItemWhy(id=item)).why


def test_nothing_is_dispatched(daemon: House, demo: Project) -> None:
    assert "golemctl run" in _why(daemon, demo.add())


def test_an_unmet_dependency_is_named_and_a_cancelled_one_is_called_so(daemon: House, demo: Project) -> None:
    first = demo.add()
    item = demo.add(dependencies=(first,))
    assert f"waits for {first}" in _why(daemon, item)
    daemon.call(calls.ItemCancel(id=first))
    assert f"{first} (which is cancelled" in _why(daemon, item)


def test_a_running_item_and_the_one_behind_it(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    behind = demo.add()
    daemon.until("attempt.spawned", item)
    assert _why(daemon, item) == f"{item} is running: phase build."
    view = daemon.call(calls.ItemWhy(id=behind))
    assert "1 of 1 items are in progress (max_wip)" in view.why
    assert view.next == f"Under way: {item} (build)."


def test_a_blocked_item_waits_for_you(daemon: House, demo: Project) -> None:
    item = demo.work('[[result {"result": "blocked", "summary": "s", "question": "Which colour?"}]]')
    daemon.until("gate.opened", item)
    assert _why(daemon, item) == f"{item} waits for you: Which colour?"


def test_a_used_up_cap_is_named(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "plan"}, {"name": "build"}])
    item = project.add()
    project.run(cap=1)
    assert project.halted()["data"]["reason"] == "cap_reached"
    assert "cap reached" in _why(daemon, item)


def test_an_ended_item_is_called_ended(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.call(calls.ItemCancel(id=item))
    assert _why(daemon, item) == f"{item} is cancelled."


def test_an_unknown_item_is_refused(daemon: House) -> None:
    daemon.refused(calls.ItemWhy(id="WRK-1"), "item_not_found", "not_found")
