"""project.remove: forget a project that has nothing unfinished."""

from __future__ import annotations

import pytest

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project, phase


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


@pytest.mark.parametrize("workspace", ["worktree", "shared"])
def test_a_project_whose_folder_is_gone_is_told_of_and_can_be_forgotten(daemon: House, workspace: str) -> None:
    other = daemon.project("other", prefix="OTH", execution={"max_retries": 0})
    demo = daemon.project(phases=[phase("plan"), phase(gate="approval")], execution={"workspace": workspace})
    item = demo.work("[[write a.txt x]]")
    daemon.until("gate.opened", item)
    tree = demo.worktree(item)
    moved = demo.root.rename(demo.root.parent / "moved")
    hint = "Move it back, or forget the project: golemctl projects --remove demo"
    for command in (
        ("init",),
        ("init", "--prefix", "WRK2"),
        ("--project", "demo", "run"),
        ("--project", "demo", "check"),
    ):
        ended = daemon.golemctl(*command, cwd=moved)
        assert ended.status == 1
        assert hint in " ".join((ended.out + ended.err).split())
    assert "this golemd holds the repository already" in daemon.golemctl("check", cwd=moved).out

    file = other.root / "golem.toml"
    file.write_text(file.read_text().replace("max_retries = 0", "max_retries = 4"))
    view = daemon.call(calls.Reload())
    assert (view.changed, view.problems) == (("other",), (f"demo: its folder is gone. {hint}",))

    assert daemon.golemctl("projects", "--remove", "demo", "--yes").status == 1, "its item is not done"
    daemon.call(calls.ItemCancel(id=item))
    assert daemon.golemctl("projects", "--remove", "demo").status == 1, "nobody has said yes"
    ended = daemon.golemctl("projects", "--remove", "demo", "--yes")
    assert (ended.status, "demo" in ended.out, "other" in ended.out) == (0, False, True)
    assert tree.exists() is (workspace == "worktree")
    daemon.until("report.written", item)
    assert daemon.golemctl("init", cwd=moved).status == 0
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
