"""run.start: the mandate to work on a project."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_dispatch_works_until_all_is_done_and_halts(daemon: House, demo: Project) -> None:
    item = demo.add("[[write a.txt hello]]")
    started = demo.run()
    assert (started.project, started.dispatch.state, started.dispatch.cap, started.attached) == (
        "demo",
        "running",
        100,
        False,
    )
    record = next(daemon.follow(since=started.since))
    assert record["type"] == "dispatch.started"
    assert demo.halted()["data"]["reason"] == "all_done_or_blocked"
    assert daemon.show(item).status == "done"
    assert demo.file_of(item, "a.txt") == "hello"
    assert demo.git("log", "-1", "--format=%s", f"golem/{item}") == f"[{item}][build] did: write a.txt"


def test_the_cap_counts_phases(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "plan"}, {"name": "build"}])
    item = project.add()
    project.run(cap=1)
    assert project.halted()["data"]["reason"] == "cap_reached"
    assert [record["data"]["phase"] for record in daemon.records("phase.started", item)] == ["plan"]
    project.run(cap=1)
    daemon.done(item)


def test_a_continuous_dispatch_goes_on_when_there_is_nothing_to_do(daemon: House, demo: Project) -> None:
    demo.run(continuous=True)
    daemon.done(demo.add())
    daemon.done(demo.add())
    assert daemon.call(calls.Status()).projects[0].dispatch.state == "running"
    assert daemon.records("dispatch.halted") == []


def test_the_same_request_attaches_and_another_is_refused(daemon: House, demo: Project) -> None:
    demo.add("[[sleep 600]]")
    first = demo.run(cap=5)
    daemon.until("attempt.spawned")
    again = demo.run(cap=5)
    assert (first.attached, again.attached, again.since) == (False, True, daemon.seq + 1)
    assert demo.run().attached is True
    daemon.refused(calls.RunStart(project="demo", cap=6), "dispatch_active", "conflict")
    daemon.refused(calls.RunStart(project="demo", continuous=True), "dispatch_active", "conflict")


def test_caps_out_of_bounds_are_refused(daemon: House, demo: Project) -> None:
    for cap in (0, -1, 1_000_001):
        daemon.refused(calls.RunStart(project="demo", cap=cap), "invalid_cap", "invalid")


def test_an_unknown_project_is_refused(daemon: House) -> None:
    daemon.refused(calls.RunStart(project="nowhere"), "project_not_found", "not_found")


def test_a_changed_configuration_comes_into_force_and_a_bad_one_is_refused(daemon: House, demo: Project) -> None:
    file = demo.root / "golem.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("max_retries = 0", "max_retries = -1"), encoding="utf-8")
    daemon.refused(calls.RunStart(project="demo"), "configuration_invalid", "invalid")
    file.unlink()
    daemon.refused(calls.RunStart(project="demo"), "configuration_missing", "invalid")
    file.write_text(text.replace("max_retries = 0", "max_retries = 4"), encoding="utf-8")
    demo.run()
    configured = daemon.records("project.configured")[-1]["data"]
    assert (configured["by"], configured["config"]["execution"]["max_retries"]) == ("run", 4)


def test_several_projects_are_worked_on_side_by_side(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH")
    items = [demo.work("[[sleep 600]]"), other.work("[[sleep 600]]")]
    for item in items:
        daemon.until("attempt.spawned", item)
    assert len(daemon.call(calls.Status()).attempts) == 2


def test_a_dispatch_outlives_a_crash(daemon: House, demo: Project) -> None:
    item = demo.add("[[build.1: sleep 1]] [[write a.txt x]]")
    demo.run()
    daemon.kill9()
    daemon.start()
    daemon.done(item)


def test_repeating_a_start_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    demo.add("[[sleep 600]]")
    first, again = daemon.repeats(calls.RunStart(project="demo"))
    assert (first.project, again.project, again.since) == ("demo", "demo", first.since)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    demo.add("[[sleep 600]]")
    daemon.reuses(calls.RunStart(project="demo"), calls.RunStart(project="demo", cap=3))


def test_warnings_of_a_changed_configuration_are_told_when_it_comes_into_force(daemon: House) -> None:
    text = '[execution]\nworkspace = "worktree"\nagent = "scripted"\n'
    project = daemon.repository("old", {"phase-golem.toml": text})
    daemon.call(calls.ProjectInit(root=str(project.root)))
    changed = text + "max_retries = 1\nmax_wipp = 1\n"
    (project.root / "phase-golem.toml").write_text(changed, encoding="utf-8")
    (warning,) = project.run().warnings
    assert "max_wipp: unknown key, ignored" in warning
    project.halted()
    assert project.run().warnings == ()
