"""A daemon dies without a word: agents run on, and the next one takes them up as they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from golemd.api import calls
from tests.path.ground import Fifo, ended, running
from tests.path.house import House
from tests.path.repositories import RESULT, Project

ORPHAN = """if [ -e again ]; then
    {result}
    exit
fi
touch again
setsid sh -c 'echo $$ > {told}; exec sleep 600' &
sleep 600"""
WIDE = {"max_wip": 3, "max_concurrent": 3, "max_retries": 0}


def _patient(daemon: House, go: Fifo) -> Project:
    agents = daemon.agent("patient", f"echo here; read go < {go.path}; echo x > a.txt; {RESULT}")
    return daemon.project(phases=[{"name": "build", "agent": "patient"}], agents=agents, execution=WIDE)


def _started(daemon: House, project: Project, count: int) -> dict[str, int]:
    items = [project.add() for _ in range(count)]
    project.run()
    pids = {item: daemon.until("attempt.spawned", item)["data"]["pid"] for item in items}
    for item in items:
        daemon.until_output(f"{item}.1.build.1", "here")
    return pids


def test_three_running_agents_are_adopted_and_their_results_accepted(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    go = fifo("go")
    project = _patient(daemon, go)
    pids = _started(daemon, project, 3)
    daemon.kill9()
    assert all(running(pid) for pid in pids.values())
    daemon.start()
    adopted = {record["item"]: record["data"]["pid"] for record in daemon.records("attempt.adopted")}
    assert adopted == pids
    assert {attempt.pid for attempt in daemon.call(calls.Status()).attempts} == set(pids.values())
    for _ in pids:
        go.go()
    daemon.done(*pids)
    for item in pids:
        assert project.file_of(item, "a.txt") == "x"
        assert daemon.types(item).count("attempt.spawned") == 1


def test_agents_that_ended_while_no_daemon_ran_are_judged_by_their_records(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    go = fifo("go")
    project = _patient(daemon, go)
    pids = _started(daemon, project, 2)
    shims = [record["data"]["shim_pid"] for record in daemon.records("attempt.spawned")]
    daemon.kill9()
    for _ in pids:
        go.go()
    assert all(ended(pid) for pid in (*pids.values(), *shims))
    daemon.start()
    daemon.done(*pids)
    assert daemon.records("attempt.adopted") == []
    assert daemon.records("attempt.lost") == []


def test_an_attempt_that_could_not_end_all_of_its_processes_counts_with_a_warning(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    go = fifo("go")
    project = _patient(daemon, go)
    ((item, pid),) = _started(daemon, project, 1).items()
    shim = daemon.records("attempt.spawned")[0]["data"]["shim_pid"]
    daemon.kill9()
    go.go()
    assert ended(pid)
    assert ended(shim)
    record = daemon.state / "attempts" / f"{item}.1.build.1" / "exit.json"
    assert b'"survivors":0' in record.read_bytes()
    record.write_bytes(record.read_bytes().replace(b'"survivors":0', b'"survivors":2'))
    daemon.start()
    daemon.done(item)
    (warning,) = daemon.show(item).phases[0].warnings
    assert warning == "2 of its processes belong to another user, could not be ended and go on"


def test_an_attempt_whose_shim_was_killed_is_lost_its_leftovers_ended_and_it_runs_again(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    told = fifo("told")
    agents = daemon.agent("orphan", ORPHAN.format(told=told.path, result=RESULT))
    project = daemon.project(phases=[{"name": "build", "agent": "orphan"}], agents=agents, execution=WIDE)
    item = project.work()
    runaway = int(told.heard().split()[0])
    spawned = daemon.until("attempt.spawned", item)["data"]
    os.kill(spawned["shim_pid"], signal.SIGKILL)
    lost = daemon.until("attempt.lost", item)["data"]
    assert "no exit record" in lost["reason"]
    assert not running(runaway)
    assert not running(spawned["pid"])
    daemon.done(item)
    prompt = (daemon.state / "attempts" / f"{item}.1.build.2" / "prompt.md").read_text(encoding="utf-8")
    assert "interrupted" in prompt


def test_daemon_and_shim_killed_together_leave_nothing_running_after_the_next_start(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    told = fifo("told")
    agents = daemon.agent("orphan", ORPHAN.format(told=told.path, result=RESULT))
    project = daemon.project(phases=[{"name": "build", "agent": "orphan"}], agents=agents, execution=WIDE)
    item = project.work()
    runaway = int(told.heard().split()[0])
    spawned = daemon.until("attempt.spawned", item)["data"]
    daemon.kill9()
    os.kill(spawned["shim_pid"], signal.SIGKILL)
    daemon.start()
    daemon.until("attempt.lost", item)
    assert ended(runaway)
    assert ended(spawned["pid"])
    daemon.done(item)


def test_processes_of_an_item_that_was_cancelled_while_dying_are_swept(daemon: House) -> None:
    project = daemon.project(execution={"grace_seconds": 600})
    item = project.work("[[ignore-term]] [[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[0]["data"]["pid"]
    daemon.call(calls.ItemCancel(id=item))
    daemon.kill9()
    daemon.start()
    assert daemon.stop_at_once() == 0
    assert not running(pid)


def test_two_daemons_leave_each_others_agents_alone(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    project = _patient(daemon, go)
    pids = _started(daemon, project, 1)
    (daemon.root / "second").mkdir()
    second = House(daemon.root / "second").start()
    try:
        other = second.project("other", prefix="OTH")
        there = other.work("[[sleep 600]]")
        pid = second.until("attempt.spawned", there)["data"]["pid"]
        daemon.kill9()
        second.restart()
        daemon.start()
        assert {record["item"]: record["data"]["pid"] for record in daemon.records("attempt.adopted")} == pids
        assert all(running(each) for each in pids.values())
        assert not running(pid)
    finally:
        second.close()
    go.go()
    daemon.done(*pids)


def test_an_agent_copied_between_crashes_is_never_started_twice(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    project = _patient(daemon, go)
    pids = _started(daemon, project, 1)
    for _ in range(3):
        daemon.kill9()
        daemon.start()
    (item,) = pids
    assert len(daemon.records("attempt.adopted", item)) == 3
    assert daemon.types(item).count("attempt.planned") == 1
    go.go()
    daemon.done(item)
