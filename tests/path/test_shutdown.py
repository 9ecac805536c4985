"""shutdown: the daemon stops; what becomes of agents is in test_stop.py."""

from __future__ import annotations

import pytest

from golemctl.client import DaemonUnreachable
from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_shutdown_is_answered_recorded_and_ends_with_status_0(daemon: House) -> None:
    view = daemon.call(calls.Shutdown())
    assert (view.pid, view.ending, view.kept) == (daemon.pid, (), False)
    assert daemon.wait() == 0
    assert not daemon.socket.exists()
    daemon.start()
    assert [record["type"] for record in daemon.records("daemon.")] == [
        "daemon.started",
        "daemon.stopped",
        "daemon.started",
    ]


def test_the_answer_names_the_attempts_that_are_ended(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    daemon.until("attempt.spawned", item)
    assert daemon.call(calls.Shutdown()).ending == (f"{item}.1.build.1",)
    assert daemon.wait() == 0
    assert daemon.left() == []


def test_after_it_nobody_answers(daemon: House) -> None:
    daemon.call(calls.Shutdown())
    daemon.wait()
    with pytest.raises(DaemonUnreachable):
        daemon.call(calls.Ping())


def test_changes_are_refused_while_it_stops_and_looking_goes_on(daemon: House) -> None:
    project = daemon.project(execution={"grace_seconds": 600})
    item = project.work("[[ignore-term]] [[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    daemon.call(calls.Shutdown())
    daemon.refused(calls.ItemAdd(title="t"), "stopping", "unavailable")
    assert daemon.call(calls.Status()).daemon.stopping is True
    daemon.call(calls.Shutdown())  # the second one ends the grace
    assert daemon.wait() == 0
