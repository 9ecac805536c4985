"""Notifications: when something starts to wait for a person, a person is told, once, and no run waits for that."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import trio

from golemd.api import calls, views
from golemd.api.faults import Invalid
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.engine.context import Context
from golemd.engine.effects import notices
from golemd.engine.search_path import SearchPath
from golemd.settings import Limits, Settings
from tests.core.world import End, World, config
from tests.path.ground import Fifo, ended
from tests.path.house import House
from tests.path.repositories import Project

ASKS = '[[build: result {"result": "blocked", "summary": "s", "question": "Which colour?"}]]'


def begin(house: House, script: str, **limits: Any) -> Project:
    """A daemon that tells people by a script, and a project of it."""
    house.settings(notify={"command": [house.program("tell", script)]}, limits=limits)
    house.start()
    return house.project(execution={"max_retries": 0, "max_wip": 3, "max_concurrent": 3})


def test_the_command_gets_the_gate_as_gate_show_shows_it_and_once(house: House) -> None:
    told = house.root / "told"
    project = begin(house, f'(cat; echo; env) >> "{told}"')
    item = project.work(ASKS, title="Paint it")
    record = house.until("gate.notified", item)
    assert record["data"] == {"gate": f"{item}.g1"}
    document, *environment = told.read_text().splitlines()
    shown = house.call(calls.GateShow(gate=f"{item}.g1"))
    assert msgspec.json.decode(document, type=views.GateDetail) == msgspec.structs.replace(shown, notified=None)
    assert (json.loads(document)["project"], json.loads(document)["title"]) == ("demo", "Paint it")
    assert shown.notified == "sent"
    assert f"GOLEM_SOCKET={house.socket}" in environment
    assert not [line for line in environment if line.startswith(("GIT_", "PYTHONPATH"))]
    house.restart()
    house.call(calls.ItemEdit(id=item, priority=2))
    assert house.types(item).count("gate.notified") == 1
    assert len([line for line in told.read_text().splitlines() if line.startswith("{")]) == 1


def test_a_notification_that_hangs_delays_neither_runs_nor_the_end_of_the_daemon(
    house: House, fifo: Callable[[str], Fifo]
) -> None:
    began = fifo("began")
    project = begin(house, f"echo $$ > {began.path}; exec sleep 600")
    asking, other = project.add(ASKS), project.add()
    project.run()
    house.done(other)
    pid = int(began.heard())
    assert house.stop() == 0
    assert ended(pid, 0)
    house.start()
    assert int(began.heard()) != pid
    house.decide(asking, "abort")


def test_a_crash_amid_telling_ends_what_told_and_the_next_daemon_tells_again(
    house: House, fifo: Callable[[str], Fifo]
) -> None:
    began = fifo("began")
    once = f'if test -e "{house.root}/again"; then exit 0; fi; touch "{house.root}/again"'
    project = begin(house, f"{once}; echo $$ > {began.path}; exec sleep 600")
    item = project.work(ASKS)
    pid = int(began.heard())
    house.kill9()
    house.start()
    house.until("gate.notified", item)
    assert ended(pid)
    assert house.gate(item).notified == "sent"


def test_one_that_fails_is_logged_and_seen_in_status(house: House) -> None:
    project = begin(house, "echo no network >&2; exit 3", notify_tries=1)
    item = project.work(ASKS)
    record = house.until("gate.notified", item)
    assert record["data"] == {"gate": f"{item}.g1", "message": "it exited with status 3: no network"}
    assert (
        f"nobody could be told that {item}.g1 waits: the notification failed, it exited with status 3" in house.said()
    )
    shown = house.golemctl("status", cwd=project.root)
    assert f"The notification of {item}.g1 failed: golemctl events --type gate.notified" in shown.out
    house.decide(item, "abort")
    assert "notification" not in house.golemctl("status", cwd=project.root).out


def test_without_a_command_notify_send_is_used_where_there_is_a_session_bus(house: House) -> None:
    send = house.program("notify-send", f'printf "%s\\n" "$@" "$DBUS_SESSION_BUS_ADDRESS" > "{house.root}/told"')
    path = f"{Path(send).parent}:{os.environ['PATH']}"
    house.start(env={"PATH": path, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"})
    item = house.project().work(ASKS)
    house.until("gate.notified", item)
    words = (house.root / "told").read_text().splitlines()
    assert words[2:] == [f"{item} waits for you (demo, build)", "Which colour?", "unix:path=/nowhere"]


def test_where_nobody_can_be_told_nothing_is_recorded(daemon: House, demo: Project) -> None:
    item = demo.work(ASKS)
    demo.halted()
    assert "gate.notified" not in daemon.types(item)
    assert daemon.gate(item).notified is None


# --- the tries, on a clock that the test moves -----------------------------------------------------------------------


class Desk:
    """What telling sees of the engine: the state of a world, and a notifier that fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.world = World()
        self.world.project(config())
        self.world.add()
        self.world.script["build"] = [End(result={"result": "blocked", "summary": "s", "question": "Which?"})]
        self.world.go()
        self.tries: list[float] = []
        self.reports: list[cmd.ReportNotified] = []
        self.failures = failures
        self.stop_asked = trio.Event()
        self.search_path = SearchPath("/opt/bin", {})
        self.state = self.world.state
        self.parts = SimpleNamespace(notifier=self, settings=Settings(limits=Limits(notify_tries=4)))

    async def tell(self, about: str, title: str, text: str, document: bytes, path: str) -> str:
        assert path == "/opt/bin"
        self.tries.append(trio.current_time())
        self.failures -= 1
        return "no network" if self.failures >= 0 else ""

    async def report(self, command: cmd.ReportNotified) -> None:
        self.reports.append(command)

    async def notify(self) -> None:
        await notices.notify(cast("Context", self), plan.Notify("DEMO-1.g1"))


@pytest.fixture(autouse=True)
def without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    async def shown(engine: Desk, call: calls.GateShow) -> views.GateDetail:
        raise Invalid("git_missing", "no git")

    monkeypatch.setattr(notices, "gate_show", shown)


async def test_a_failed_try_is_repeated_with_back_off(autojump_clock: trio.testing.MockClock) -> None:
    desk = Desk(failures=2)
    await desk.notify()
    assert [round(each - desk.tries[0]) for each in desk.tries] == [0, 5, 25]
    assert desk.reports == [cmd.ReportNotified(gate="DEMO-1.g1", tries=3)]


async def test_after_a_few_tries_it_is_given_up_and_recorded(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    desk = Desk(failures=99)
    await desk.notify()
    assert [round(each - desk.tries[0]) for each in desk.tries] == [0, 5, 25, 105]
    assert desk.reports == [cmd.ReportNotified(gate="DEMO-1.g1", tries=4, message="no network")]
    assert len(caplog.records) == 4


async def test_a_gate_that_is_decided_meanwhile_is_told_of_no_more(autojump_clock: trio.testing.MockClock) -> None:
    desk = Desk(failures=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.notify)
        await trio.testing.wait_all_tasks_blocked()
        desk.world.decide("DEMO-1.g1", "abort")
    assert (len(desk.tries), desk.reports) == (1, [])


async def test_a_stop_ends_the_waiting_for_the_next_try_at_once(autojump_clock: trio.testing.MockClock) -> None:
    desk = Desk(failures=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.notify)
        await trio.testing.wait_all_tasks_blocked()
        begun = trio.current_time()
        desk.stop_asked.set()
    assert trio.current_time() == begun
    assert desk.reports == []
