"""reload: the projects' configuration again; a bad one is refused and the old one stays."""

from __future__ import annotations

import signal

from golemd.api import calls
from tests.path.ground import wait_for_line
from tests.path.house import House
from tests.path.repositories import RESULT, Project, phase


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


def test_who_names_a_pipeline_that_is_not_in_force_yet_is_told_how_it_comes_there(daemon: House, demo: Project) -> None:
    with (demo.root / "golem.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[pipelines.new.phases]]\nname = "build"\n')
    fault = daemon.refused(calls.ItemAdd(title="t", pipeline="new"), "unknown_pipeline", "invalid")
    assert fault.hint == "Known: feature. If it is new in golem.toml: golemctl reload"
    daemon.call(calls.Reload())
    daemon.call(calls.ItemAdd(title="t", pipeline="new"))


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


def test_what_golemd_toml_says_now_comes_into_force(house: House) -> None:
    house.settings(min_free_gb=1_000_000, notify={"command": ["true"]})
    house.start()
    says = f'printf %s "$WORD $PATH" > seen.txt; {RESULT}'
    demo = house.project(agents=house.agent("mine", says), phases=[phase(agent="mine", gate="approval")])
    item = demo.work()
    wait_for_line(house.log, "new agents wait")
    told, path = house.root / "told", f"/opt/mine:{house.env['PATH']}"
    command = house.program("tell", f'cat > "{told}"')
    house.settings(environment={"set": {"WORD": "hello"}, "path": path}, notify={"command": [command]})
    assert house.call(calls.Reload()).problems == ()
    house.until("gate.notified", item)
    assert told.exists()
    assert (demo.worktree(item) / "seen.txt").read_text() == f"hello {path}"


def test_limits_of_socket_and_journal_wait_for_the_next_start_and_that_is_said(daemon: House, demo: Project) -> None:
    daemon.settings(limits={"connections": 9, "segment_bytes": 70_000, "notify_tries": 9})
    for _ in range(2):
        ended = daemon.golemctl("reload")
        assert ended.status == 1
        assert "[limits] connections, segment_bytes: what has changed comes into force when golemd starts" in ended.err
    daemon.signal(signal.SIGHUP)
    assert "WARNING" in wait_for_line(daemon.log, "[limits] connections, segment_bytes")
    daemon.restart()
    assert daemon.call(calls.Reload()).problems == ()


def test_a_bad_golemd_toml_is_refused_and_nothing_changes(daemon: House, demo: Project) -> None:
    daemon.settings(max_agents=0)
    _change(demo, "max_retries = 0", "max_retries = 4")
    fault = daemon.refused(calls.Reload(), "configuration_invalid", "invalid")
    assert f"{daemon.config} has problems" in fault.message
    assert "max_agents" in fault.message
    assert _retries(daemon) == [0]
    daemon.signal(signal.SIGHUP)
    assert "ERROR" in wait_for_line(daemon.log, "golemd.toml has problems")
    daemon.settings(max_agents=3)
    assert daemon.call(calls.Reload()).changed == ("demo",)


def test_repeating_a_reload_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    _change(demo, "max_retries = 0", "max_retries = 4")
    call = calls.Reload(token="once")
    assert daemon.call(call).changed == ("demo",)
    _change(demo, "max_retries = 4", "max_retries = 3")
    before = daemon.seq
    again = daemon.call(call)
    assert (daemon.seq, again.changed, again.repeated) == (before, ("demo",), True)


def test_a_token_of_another_command_is_refused(daemon: House, demo: Project) -> None:
    _change(demo, "max_retries = 0", "max_retries = 4")
    daemon.reuses(calls.Reload(), calls.ItemAdd(title="t"))
