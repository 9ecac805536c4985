"""The real Claude Code through crashes of everything and through limits: its conversation goes on where it can."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from golemd.api import calls
from tests.fakes.messages_api import CACHED_TOKENS, INPUT_TOKENS, Failure
from tests.path.claude_site import AS_SUBSCRIBER, DONE, Site, used_up
from tests.path.ground import GUARD_SECONDS, Fifo, ended
from tests.path.house import Record


def _crash(site: Site, item: str) -> str:
    """End daemon, shim and program at once, as a power failure does, when the program waits; its session."""
    assert site.api.held.wait(GUARD_SECONDS)
    spawned = site.daemon.until("attempt.spawned", item)["data"]
    site.daemon.kill9()
    os.kill(spawned["shim_pid"], signal.SIGKILL)
    assert ended(spawned["pid"])
    site.api.go_on.set()
    return str(spawned["session"])


def _sessions(site: Site, item: str) -> list[str]:
    """How each attempt began or went on with a conversation."""
    numbers = [record["data"]["number"] for record in site.daemon.records("attempt.planned", item)]
    return [" ".join(site.argv(f"{item}.1.build.{number}")[5:7]) for number in numbers]


def _when(record: Record) -> float:
    """The time of a record, in microseconds since the epoch."""
    return datetime.fromisoformat(record["ts"]).timestamp() * 1e6


def test_after_a_crash_of_everything_the_conversation_goes_on(site: Site) -> None:
    daemon, project = site.daemon, site.project()
    item = project.work(f"[[write a.txt by claude]] [[hold]] {DONE}")
    session = _crash(site, item)
    daemon.start()
    daemon.done(item)
    assert _sessions(site, item) == [f"--session-id {session}", f"--resume {session}"]
    told = site.prompt(f"{item}.1.build.2")
    assert f"An earlier attempt was interrupted; what it left in the tree is still there. ({item}.1.build.1)" in told
    assert [record["data"]["reason"] for record in daemon.records("attempt.lost", item)] == [
        "its process is gone and left no exit record"
    ]
    first, second = (record["data"] for record in daemon.records("budget.spent", item))
    assert (first["attempt"], first["input_tokens"]) == (f"{item}.1.build.1", INPUT_TOKENS + CACHED_TOKENS)
    assert first["cost_usd"] == 0, "of a turn that was killed it is unknown"
    assert second["cost_usd"] > 0
    assert daemon.show(item).runs[0].phases[0].attempts == 2


def test_a_pause_ends_what_it_has_started_and_its_conversation_goes_on(site: Site, fifo: Callable[[str], Fifo]) -> None:
    told = fifo("told")
    daemon, project = site.daemon, site.project({"name": "build", "max_retries": 0}, permissions="full")
    once = f"test -e once || {{ touch once; echo $$ > {told.path}; exec sleep 600; }}"
    item = project.work(f"[[bash {once}]] {DONE}")
    pid = int(told.heard())
    assert os.getsid(pid) == pid, "it is in a session of its own, out of reach of its parent's group"
    daemon.call(calls.Pause(id=item))
    assert ended(pid)
    assert daemon.until("attempt.exited", item)["data"]["reason"] == "stopped"
    assert all(map(ended, daemon.left())), "also a git command of golemd's own"
    daemon.call(calls.Resume(id=item))
    daemon.done(item)
    first, second = _sessions(site, item)
    assert second.split() == ["--resume", first.split()[1]]


def test_a_conversation_that_is_gone_after_a_crash_costs_no_retry(site: Site) -> None:
    daemon = site.daemon
    project = site.project({"name": "build", "max_retries": 0})
    item = project.work(f"[[write a.txt by claude]] [[hold]] {DONE}")
    session = _crash(site, item)
    shutil.rmtree(Path(daemon.env["HOME"]) / ".claude" / "projects")
    daemon.start()
    daemon.done(item)
    first, second, third = _sessions(site, item)
    assert (first, second) == (f"--session-id {session}", f"--resume {session}")
    assert third.startswith("--session-id ")
    assert session not in third
    rejected = daemon.records("attempt.rejected", item)[0]["data"]
    assert (rejected["outcome"], rejected["spends"]) == ("transient", "transient")
    assert "No conversation found" in rejected["message"]
    told = site.prompt(f"{item}.1.build.3")
    assert f"An earlier attempt was interrupted; what it left in the tree is still there. ({item}.1.build.1)" in told
    assert daemon.records("gate.opened", item) == []


def test_a_limit_ends_by_itself_and_the_conversation_goes_on(site: Site) -> None:
    daemon, project = site.daemon, site.project({"name": "build", "max_retries": 0}, env=AS_SUBSCRIBER)
    site.api.fail(Failure(429, headers=used_up(seconds=5), times=1))
    item = project.work(f"[[write a.txt by claude]] {DONE}")
    until_us = daemon.until("provider.parked", item)["data"]["until_us"]
    assert "is parked until" in (daemon.show(item).why or "")
    free = daemon.until("provider.available")
    assert _when(free) >= until_us
    daemon.done(item)
    first, second = _sessions(site, item)
    assert second.split() == ["--resume", first.split()[1]]
    assert daemon.call(calls.Status()).providers == ()


def test_a_limit_without_a_reset_is_waited_for_a_quarter_of_an_hour(site: Site) -> None:
    daemon, project = site.daemon, site.project({"name": "build", "max_retries": 0})
    site.api.fail(Failure(429))
    item = project.work(DONE)
    parked = daemon.until("provider.parked", item)
    assert parked["data"]["until_us"] == pytest.approx(_when(parked) + 900e6, abs=5e6)
    status = daemon.call(calls.Status())
    assert [(each.name, each.state, each.used) for each in status.providers] == [("claude", "parked", 0)]
    assert status.providers[0].until is not None
    assert daemon.records("gate.opened", item) == []
