"""project.list: the registered projects."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_projects_are_listed_with_counts_dispatch_and_limits(daemon: House) -> None:
    assert daemon.call(calls.ProjectList()) == ()
    demo = daemon.project(execution={"max_wip": 3, "max_concurrent": 2})
    demo.add()
    daemon.project("other", prefix="OTH")
    first, second = daemon.call(calls.ProjectList())
    assert (first.name, first.root, first.prefix, first.counts) == ("demo", str(demo.root), "WRK", {"ready": 1})
    assert (first.max_wip, first.max_concurrent, first.dispatch.state) == (3, 2, "halted")
    assert (second.name, second.counts) == ("other", {})


def test_a_running_dispatch_shows_its_cap_and_use(daemon: House, demo: Project) -> None:
    item = demo.add("[[sleep 600]]")
    demo.run(cap=7)
    daemon.until("attempt.spawned", item)
    dispatch = daemon.call(calls.ProjectList())[0].dispatch
    assert (dispatch.state, dispatch.cap, dispatch.used, dispatch.halt_reason) == ("running", 7, 1, None)
