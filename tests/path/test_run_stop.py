"""run.stop: nothing new is launched; `now` also ends what runs."""

from __future__ import annotations

from collections.abc import Callable

from golemd.api import calls
from tests.path.ground import Fifo, ended
from tests.path.house import House
from tests.path.repositories import RESULT, Project


def test_after_a_stop_what_runs_goes_on_and_nothing_new_begins(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    agents = daemon.agent("patient", f"read go < {go.path}; {RESULT}")
    project = daemon.project(phases=[{"name": "plan", "agent": "patient"}, {"name": "build"}], agents=agents)
    item = project.work()
    daemon.until("attempt.spawned", item)
    stopped = daemon.call(calls.RunStop(project="demo"))
    assert (stopped.dispatch.state, stopped.dispatch.halt_reason) == ("halted", "stopped")
    assert [attempt.id for attempt in stopped.running] == [f"{item}.1.plan.1"]
    go.go()
    daemon.until("phase.completed", item, phase="plan")
    assert [record["data"]["phase"] for record in daemon.records("phase.started", item)] == ["plan"]
    assert "golemctl run" in daemon.call(calls.ItemWhy(id=item)).why


def test_now_ends_running_attempts_and_a_run_takes_them_up_again(daemon: House, demo: Project) -> None:
    item = demo.work("[[build.1: sleep 600]] [[write a.txt x]]")
    pid = daemon.until("attempt.spawned", item)["data"]["pid"]
    daemon.call(calls.RunStop(project="demo", now=True))
    assert ended(pid)
    rejected = daemon.until("attempt.rejected", item)
    assert rejected["data"]["outcome"] == "cancelled"
    demo.run()
    daemon.done(item)
    assert daemon.show(item).runs[0].phases[0].attempts == 2


def test_now_after_a_plain_stop_ends_what_still_runs(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    pid = daemon.until("attempt.spawned", item)["data"]["pid"]
    daemon.call(calls.RunStop(project="demo"))
    daemon.call(calls.RunStop(project="demo", now=True))
    assert ended(pid)


def test_stopping_what_is_not_dispatched_is_a_success_without_a_record(daemon: House, demo: Project) -> None:
    before = daemon.seq
    assert daemon.call(calls.RunStop(project="demo")).dispatch.state == "halted"
    assert daemon.call(calls.RunStop(project="demo", now=True)).running == ()
    assert daemon.seq == before


def test_an_unknown_project_is_refused(daemon: House) -> None:
    daemon.refused(calls.RunStop(project="nowhere"), "project_not_found", "not_found")


def test_repeating_a_stop_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    demo.work("[[sleep 600]]")
    daemon.until("attempt.spawned")
    first, again = daemon.repeats(calls.RunStop(project="demo"))
    assert (first.project, again.project) == ("demo", "demo")


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    demo.work("[[sleep 600]]")
    daemon.until("attempt.spawned")
    daemon.reuses(calls.RunStop(project="demo"), calls.RunStop(project="demo", now=True))
