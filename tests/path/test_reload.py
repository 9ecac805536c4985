"""reload: the projects' configuration again; a bad one is refused and the old one stays."""

from __future__ import annotations

import signal

from golemd.api import calls
from tests.path.ground import wait_for_line
from tests.path.house import House
from tests.path.repositories import Project


def _change(project: Project, old: str, new: str) -> None:
    file = project.root / "golem.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def _retries(daemon: House) -> list[int]:
    found = daemon.records("project.configured")
    return [record["data"]["config"]["execution"].get("max_retries", 2) for record in found]


def test_a_changed_configuration_comes_into_force(daemon: House, demo: Project) -> None:
    daemon.project("other", prefix="OTH")
    _change(demo, "max_retries = 0", "max_retries = 4")
    view = daemon.call(calls.Reload())
    assert (view.changed, view.unchanged) == (("demo",), ("other",))
    assert daemon.records("project.configured")[-1]["data"]["by"] == "reload"
    assert _retries(daemon)[-1] == 4


def test_two_changed_configurations_are_both_named(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH", execution={"max_retries": 0})
    for project in (demo, other):
        _change(project, "max_retries = 0", "max_retries = 4")
    assert daemon.call(calls.Reload()).changed == ("demo", "other")


def test_without_a_change_nothing_is_recorded(daemon: House, demo: Project) -> None:
    before = daemon.seq
    assert daemon.call(calls.Reload()).unchanged == ("demo",)
    assert daemon.seq == before


def test_a_run_under_way_keeps_what_it_is_pinned_to(daemon: House, demo: Project) -> None:
    item = demo.work("[[build.1: sleep 600]]")
    daemon.until("attempt.spawned", item)
    _change(demo, "max_retries = 0", "max_retries = 4")
    daemon.call(calls.Reload())
    assert daemon.show(item).runs[0].pinned_differs is True


def test_a_bad_configuration_is_refused_and_the_old_one_stays(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH", execution={"max_retries": 0})
    _change(demo, "max_retries = 0", "max_retries = 4")
    _change(other, "max_retries = 0", "max_retries = -1")
    fault = daemon.refused(calls.Reload(), "configuration_invalid", "invalid")
    assert "max_retries" in fault.message
    assert _retries(daemon) == [0, 0]


def test_a_configuration_that_is_gone_is_refused(daemon: House, demo: Project) -> None:
    (demo.root / "golem.toml").unlink()
    daemon.refused(calls.Reload(), "configuration_missing", "invalid")


def test_a_configuration_that_cannot_be_looked_at_is_refused(daemon: House, demo: Project) -> None:
    (demo.root / "golem.toml").unlink()
    (demo.root / "golem.toml").symlink_to("golem.toml")
    daemon.signal(signal.SIGHUP)
    assert "ERROR" in wait_for_line(daemon.log, "golem.toml cannot be read")
    daemon.refused(calls.Reload(), "unreadable_file", "invalid")


def test_repeating_a_reload_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    _change(demo, "max_retries = 0", "max_retries = 4")
    call = calls.Reload(token="once")
    assert daemon.call(call).changed == ("demo",)
    _change(demo, "max_retries = 4", "max_retries = 3")
    before = daemon.seq
    daemon.call(call)
    assert daemon.seq == before


def test_a_token_of_another_command_is_refused(daemon: House, demo: Project) -> None:
    _change(demo, "max_retries = 0", "max_retries = 4")
    daemon.reuses(calls.Reload(), calls.ItemAdd(title="t"))
