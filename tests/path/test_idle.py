"""An idle daemon sleeps: nothing in it wakes up."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from golemd.api import calls
from tests.path.house import House

pytestmark = pytest.mark.executed

QUIET_SECONDS = 12  # what a daemon may still have to do after the last call
WATCHED_SECONDS = 5
ITEMS = 1000


def _switches(pid: int) -> int:
    """Context switches of all threads of a process so far."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        lines = (thread / "status").read_text(encoding="ascii", errors="replace").splitlines()
        total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return total


def _let_pass(pid: int, seconds: float) -> None:
    """Time passes; the daemon must not end meanwhile."""
    watch = os.pidfd_open(pid)
    try:
        assert not select.select([watch], [], [], seconds)[0], "the daemon has ended"
    finally:
        os.close(watch)


def test_a_daemon_with_a_thousand_items_and_no_dispatch_does_not_wake_up(house: House) -> None:
    house.settings(notify={"command": ["true"]})
    daemon = house.start()
    project = daemon.project()
    waiting = project.work('[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]')
    daemon.until("gate.notified", waiting)
    project.halted()
    for number in range(ITEMS):
        project.add(title=f"item {number}")
    assert daemon.call(calls.Status()).projects[0].counts == {"blocked": 1, "ready": ITEMS}
    _let_pass(daemon.pid, QUIET_SECONDS)
    before = _switches(daemon.pid)
    _let_pass(daemon.pid, WATCHED_SECONDS)
    assert _switches(daemon.pid) - before == 0
