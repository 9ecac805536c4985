"""project.remove: forget a project that has nothing unfinished."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_removed_project_is_gone_and_its_repository_as_it_was(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH")
    head, status = demo.git("rev-parse", "HEAD"), demo.git("status", "--porcelain")
    left = daemon.call(calls.ProjectRemove(project="demo"))
    assert [project.name for project in left] == [other.name]
    assert daemon.records("project.removed")[0]["project"] == "demo"
    assert (demo.git("rev-parse", "HEAD"), demo.git("status", "--porcelain")) == (head, status)


def test_a_removed_project_can_be_registered_again_also_elsewhere(daemon: House, demo: Project, house: House) -> None:
    daemon.call(calls.ProjectRemove(project="demo"))
    assert daemon.call(calls.ProjectInit(root=str(demo.root))).again is False
    daemon.call(calls.ProjectRemove(project="demo"))
    (daemon.root / "second").mkdir()
    second = House(daemon.root / "second")
    try:
        second.start()
        assert second.call(calls.ProjectInit(root=str(demo.root))).project.name == "demo"
    finally:
        second.close()


def test_a_project_with_unfinished_items_is_refused_until_they_end(daemon: House, demo: Project) -> None:
    item = demo.add()
    fault = daemon.refused(calls.ProjectRemove(project="demo"), "items_left", "conflict")
    assert item in fault.message
    daemon.call(calls.ItemCancel(id=item))
    assert daemon.call(calls.ProjectRemove(project="demo")) == ()


def test_ended_items_of_a_removed_project_do_not_harm_the_daemon(daemon: House, demo: Project) -> None:
    item = demo.work("[[write a.txt x]]")
    daemon.until("work.kept", item)
    demo.halted()
    daemon.call(calls.ProjectRemove(project="demo"))
    assert daemon.call(calls.Status(all=True)).projects == ()
    assert daemon.show(item).status == "done"
    daemon.restart()
    assert daemon.call(calls.JournalVerify(deep=True)).equal


def test_an_unknown_project_is_refused(daemon: House) -> None:
    daemon.refused(calls.ProjectRemove(project="nowhere"), "project_not_found", "not_found")


def test_repeating_a_removal_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    call = calls.ProjectRemove(project="demo", token="once")
    assert daemon.call(call) == ()
    before = daemon.seq
    assert daemon.call(call) == ()
    assert daemon.seq == before


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    daemon.project("other", prefix="OTH")
    daemon.reuses(calls.ProjectRemove(project="demo"), calls.ProjectRemove(project="other"))
