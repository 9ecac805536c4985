"""golemd and its service manager, as far as the test itself can be the manager: notifications, watchdog, questions."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from golemd.adapters.notify import ASK_FOR_TIME_SECONDS, RECORDS_A_LOOK, LongStart, notify, watchdog_seconds
from golemd.adapters.processes.launch import STATUS_FD, Launch, launch_plain
from golemd.adapters.processes.proctable import ATTEMPT, INSTANCE
from golemd.adapters.processes.scopes import launch_in_scope
from golemd.adapters.user_manager import UserManager, scope_name
from golemd.api import calls
from golemd.engine.engine import Engine
from golemd.service import keep_told
from tests.path.house import House


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where notifications arrive."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def _environ(manager: socket.socket) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(manager.getsockname())}


def test_the_watchdog_is_told_again_and_again_while_all_is_well(house: House) -> None:
    house.start(env={"WATCHDOG_USEC": "300000"})
    for _ in range(3):
        house.told("WATCHDOG=1")


class Planner:
    """The side of the engine that the watchdog sees: it goes round so often, and then hangs."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    async def turn(self) -> None:
        self.rounds -= 1
        if self.rounds < 0:
            await trio.sleep_forever()


async def test_the_watchdog_is_told_nothing_once_the_planner_hangs(
    manager: socket.socket, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(60):
        await keep_told(cast(Engine, Planner(3)), {**_environ(manager), "WATCHDOG_USEC": "3000000"})
    assert [manager.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


async def test_without_a_watchdog_no_timer_runs() -> None:
    await keep_told(cast(Engine, Planner(0)), {})


def test_telling_the_watchdog_leaves_no_record(house: House) -> None:
    house.start(env={"WATCHDOG_USEC": "30000"})
    before = house.call(calls.Ping()).seq
    for _ in range(5):
        house.told("WATCHDOG=1")
    assert house.call(calls.Ping()).seq == before


def test_a_stop_by_a_client_is_told_as_well(house: House) -> None:
    house.start()
    house.call(calls.Shutdown())
    house.told("STOPPING=1")
    assert house.wait() == 0


def test_a_manager_that_has_gone_is_no_trouble(house: House) -> None:
    house.start(env={"WATCHDOG_USEC": "30000"})
    assert house._manager is not None
    house._manager.close()
    house._manager = None
    assert house.call(calls.Ping()).pid == house.pid
    assert house.stop() == 0
    assert "Traceback" not in house.said()


def test_lines_are_sent_together_and_nobody_is_no_fault(manager: socket.socket) -> None:
    assert notify(_environ(manager), "READY=1", "STATUS=well")
    assert manager.recv(4096) == b"READY=1\nSTATUS=well"
    assert not notify({}, "READY=1")
    assert not notify({"NOTIFY_SOCKET": "/nowhere/at/all"}, "READY=1")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_only_the_process_that_is_watched_answers_the_watchdog(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds


def test_a_long_start_asks_for_time_as_long_as_it_goes_on(manager: socket.socket) -> None:
    now = 0.0
    reading = LongStart(_environ(manager), lambda: now)
    for _ in range(RECORDS_A_LOOK):
        reading()
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
    now = ASK_FOR_TIME_SECONDS
    for _ in range(3 * RECORDS_A_LOOK):
        reading()
    lines = manager.recv(4096).decode().splitlines()
    assert lines == ["EXTEND_TIMEOUT_USEC=60000000", f"STATUS=Reading the journal: {2 * RECORDS_A_LOOK} records"]
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_where_nobody_listens_there_is_no_manager(tmp_path: Path) -> None:
    assert UserManager.find({}) is None
    assert UserManager.find({"XDG_RUNTIME_DIR": str(tmp_path)}) is None
    (tmp_path / "systemd").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "systemd" / "private"))
        assert UserManager.find({"XDG_RUNTIME_DIR": str(tmp_path)}) is None


def test_a_process_that_systemd_did_not_start_itself_has_no_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody, me = UserManager(tmp_path / "nobody"), {"SYSTEMD_EXEC_PID": str(os.getpid())}
    groups = tmp_path / "cgroup"
    groups.write_text("1:name=systemd:/\n0::/user.slice/user@1.service/app.slice/golemd.service\n")
    assert nobody.own_unit(me, groups) == "golemd.service"
    assert nobody.own_unit({"SYSTEMD_EXEC_PID": "1", "INVOCATION_ID": "a"}, groups) == ""
    assert nobody.own_unit({}, groups) == ""
    with pytest.raises(OSError, match="No such file"):
        nobody.own_unit({"INVOCATION_ID": "a"}, groups)
    for main, unit in ((os.getpid(), "golemd.service"), (1, "")):  # before systemd 248 it has to be asked
        monkeypatch.setattr(nobody, "main_pid", {"golemd.service": main}.__getitem__)
        assert nobody.own_unit({"INVOCATION_ID": "a"}, groups) == unit
    groups.write_text("0::/user.slice/session-1.scope\n")
    assert nobody.own_unit(me, groups) == nobody.own_unit({"INVOCATION_ID": "a"}, groups) == ""


def test_the_name_of_a_scope_is_escaped_and_not_too_long() -> None:
    assert scope_name("golemd-ab", "WRK-1.1.build.1") == "golemd-ab-WRK-1.1.build.1.scope"
    assert scope_name("golemd-ab", "é 1/@") == r"golemd-ab-\xc3\xa9\x201\x2f\x40.scope"
    assert len(scope_name("golemd-ab", "x" * 300)) == 255


def _launched(launch: Launch) -> list[str]:
    """Launch a program that tells its pid, what it reads, and its fds; what it told, but for the pid."""
    given, status = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    os.write(given[1], b"the spec\n")
    tell = f"exec >&{STATUS_FD}; read -r spec; echo $$ $spec; exec /bin/ls /proc/self/fd"
    pid = launch(
        ["/bin/sh", "-c", tell], {INSTANCE: "i" * 32, ATTEMPT: "WRK-1.1.build.1"}, given[0], status[1], 1 << 30
    )
    assert os.waitpid(pid, 0)[1] == 0
    for fd in (*given, status[1]):
        os.close(fd)
    with open(status[0], encoding="ascii") as told:
        first, *rest = told.read().split()
    assert first == str(pid)
    return rest


def test_a_shim_whose_scope_cannot_be_had_is_started_all_the_same_and_finds_what_it_always_finds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = _launched(launch_in_scope(UserManager(tmp_path / "nobody")))
    assert told == _launched(launch_plain)
    assert told[:2] == ["the", "spec"]
    assert "WRK-1.1.build.1 runs without a scope of its own" in caplog.text


def test_a_shim_never_runs_when_the_daemon_ends_before_its_gate_opens(tmp_path: Path) -> None:
    made = tmp_path / "made"
    ended, tells = os.pipe2(os.O_CLOEXEC)
    daemon = os.fork()
    if daemon == 0:
        try:

            class Killer(UserManager):
                def start_scope(self, *_: object, **__: object) -> None:
                    os.kill(os.getpid(), signal.SIGKILL)

            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            env = {INSTANCE: "i", ATTEMPT: "a"}
            launch_in_scope(Killer(tmp_path))(["/bin/sh", "-c", f"echo made > {made}"], env, null, tells, 0)
        finally:
            os._exit(1)
    os.close(tells)
    assert os.WTERMSIG(os.waitpid(daemon, 0)[1]) == signal.SIGKILL
    assert select.select([ended], [], [], 10)[0]
    assert os.read(ended, 1) == b"", "somebody still holds the status pipe"
    os.close(ended)
    assert not made.exists()
