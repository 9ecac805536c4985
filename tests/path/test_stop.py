"""Stopping: agents are ended with all they started, or kept and adopted."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from golemd.api import calls
from tests.path.ground import Fifo, ended, running
from tests.path.house import House
from tests.path.repositories import RESULT

pytestmark = pytest.mark.executed

STUBBORN = """if [ -e again ]; then
    {result}
    exit
fi
touch again
trap '' TERM
setsid sh -c "trap '' TERM HUP INT; echo \\$\\$ > {told}; while :; do sleep 600; done" &
while :; do sleep 600; done"""
"""An agent that ignores SIGTERM, as does its descendant in a session and a group of its own."""


def test_descendants_that_ignore_sigterm_die_after_the_grace_and_the_work_goes_on_later(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    told = fifo("told")
    project = daemon.project(
        phases=[{"name": "build", "agent": "stubborn"}],
        agents=daemon.agent("stubborn", STUBBORN.format(told=told.path, result=RESULT)),
        execution={"grace_seconds": 0.3},
    )
    item = project.work()
    runaway = int(told.heard().split()[0])
    agent = daemon.until("attempt.spawned", item)["data"]["pid"]
    assert daemon.stop() == 0
    assert (running(runaway), running(agent), daemon.left()) == (False, False, [])
    daemon.start()
    exited = daemon.records("attempt.exited", item)[0]["data"]
    assert (exited["reason"], exited["signal"]) == ("stopped", 9)
    assert daemon.until("attempt.rejected", item)["data"]["outcome"] == "cancelled"
    daemon.done(item)
    assert daemon.show(item).runs[0].phases[0].attempts == 2


def test_a_second_sigterm_ends_the_grace(daemon: House) -> None:
    project = daemon.project(execution={"grace_seconds": 600})
    item = project.work("[[ignore-term]] [[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    assert daemon.stop_at_once() == 0
    assert daemon.left() == []


def test_an_agent_that_ends_by_itself_within_the_grace_is_not_killed(daemon: House) -> None:
    agents = daemon.agent("polite", 'trap "echo bye; exit 0" TERM; echo here; while :; do sleep 0.05; done')
    project = daemon.project(
        phases=[{"name": "build", "agent": "polite"}], agents=agents, execution={"grace_seconds": 60}
    )
    item = project.work()
    daemon.until_output(f"{item}.1.build.1", "here")
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.records("attempt.exited", item)[0]["data"]["status"] == 0
    assert "bye" in daemon.call(calls.LogsRead(id=f"{item}.1.build.1")).text


def test_kept_agents_run_on_and_are_adopted(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    agents = daemon.agent("patient", f"echo here; read go < {go.path}; echo x > a.txt; {RESULT}")
    project = daemon.project(phases=[{"name": "build", "agent": "patient"}], agents=agents)
    item = project.work()
    daemon.until_output(f"{item}.1.build.1", "here")
    pid = daemon.records("attempt.spawned", item)[0]["data"]["pid"]
    view = daemon.call(calls.Shutdown(keep_agents=True))
    assert (view.kept, view.ending) == (True, (f"{item}.1.build.1",))
    assert daemon.wait() == 0
    assert running(pid)
    daemon.start()
    assert daemon.records("attempt.adopted", item)[0]["data"]["pid"] == pid
    (attempt,) = daemon.call(calls.Status()).attempts
    assert (attempt.pid, attempt.adopted, attempt.state) == (pid, True, "running")
    go.go()
    daemon.done(item)
    assert daemon.show(item).runs[0].phases[0].attempts == 1


def test_on_stop_keep_keeps_them_on_sigterm_too(house: House, fifo: Callable[[str], Fifo]) -> None:
    house.settings(on_stop="keep")
    house.start()
    go = fifo("go")
    agents = house.agent("patient", f"echo here; read go < {go.path}; {RESULT}")
    project = house.project(phases=[{"name": "build", "agent": "patient"}], agents=agents)
    item = project.work()
    pid = house.until("attempt.spawned", item)["data"]["pid"]
    assert house.stop() == 0
    assert running(pid)
    go.go()
    assert ended(pid)  # while no daemon runs
    house.start()
    house.done(item)
    assert house.records("attempt.exited", item)[0]["data"]["status"] == 0
    assert house.types(item).count("attempt.planned") == 1


def test_sigint_stops_as_sigterm_does(daemon: House) -> None:
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    daemon.start()
    assert daemon.records("daemon.stopped")


def test_a_stop_in_the_middle_of_a_commit_loses_nothing(daemon: House) -> None:
    project = daemon.project(execution={"max_wip": 4, "max_concurrent": 4})
    items = [project.add("[[write a.txt x]]") for _ in range(6)]
    project.run()
    for kind, count in (("attempt.accepted", 1), ("commit.created", 3), ("run.bound", 6)):
        daemon.until(kind, count=count)
        daemon.restart()
    daemon.done(*items)
    for item in items:
        assert project.git("rev-list", "--count", f"main..golem/{item}") == "1"
    assert daemon.call(calls.JournalVerify(deep=True)).equal
