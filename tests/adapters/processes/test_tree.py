"""Whose process is whose: the sweep of one instance, and who descends from an attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from golemd.adapters.processes import proctable, reaper
from golemd.adapters.processes.proctable import UNKNOWN
from golemd.adapters.processes.records import Identity
from tests.adapters.processes.helpers import PATIENCE_SECONDS, Place, hear, make_fifo, py, sh

# A marked leader with a child whose environment is empty, in the same session; and one that leaves the session.
FAMILY = "env -i sleep 602 & a=$!; env -i setsid sleep 603 & echo $a $! > {fifo}; wait"


class Strangers:
    """Processes started without a shim, with an environment of the test's choice, each in a session of its own."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, script: str, **env: str) -> int:
        argv = ["/bin/sh", "-c", script]
        one = subprocess.Popen(argv, env={"PATH": os.environ["PATH"], **env}, start_new_session=True)
        self.started.append(one)
        return one.pid


@pytest.fixture
def strangers() -> Iterator[Strangers]:
    these = Strangers()
    yield these
    for one in these.started:
        os.killpg(one.pid, signal.SIGKILL)
        one.wait()


def lives(pid: int) -> bool:
    row = proctable.look_up(pid)
    return row is not None and row.alive


async def test_a_sweep_ends_what_no_live_attempt_owns_and_nothing_else(
    here: Place, tmp_path: Path, strangers: Strangers
) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    mine = {"GOLEM_INSTANCE": here.instance}
    orphan = strangers.start(FAMILY.format(fifo=fifo), **mine, GOLEM_ATTEMPT="A.1")
    family = [int(pid) for pid in (await hear(fifo)).split()]
    others = [
        strangers.start("exec sleep 604", **mine, GOLEM_ATTEMPT="A.2"),
        strangers.start("exec sleep 604", **mine),
        strangers.start("exec sleep 604", GOLEM_INSTANCE="another", GOLEM_ATTEMPT="A.1"),
        strangers.start("exec sleep 604"),
    ]
    nested_fifo = make_fifo(tmp_path / "nested")
    nested = f"GOLEM_INSTANCE=another GOLEM_ATTEMPT=A.1 sh -c 'echo $$ > {nested_fifo}; exec sleep 605'; :"
    outer = strangers.start(nested, **mine, GOLEM_ATTEMPT="A.3")
    inner = int(await hear(nested_fifo))
    with trio.fail_after(PATIENCE_SECONDS):
        swept = await here.runner.sweep({"A.2"}, grace_seconds=0.5)
    assert swept == sorted([orphan, *family, outer])
    assert [pid for pid in [orphan, *family, outer] if lives(pid)] == []
    assert all(lives(pid) for pid in [*others, inner])
    os.kill(inner, 9)
    assert await here.runner.sweep({"A.2"}) == []
    with trio.fail_after(PATIENCE_SECONDS):
        assert await here.runner.end_leftovers("A.2") == [others[0]]


async def test_a_marked_process_in_a_persons_terminal_does_not_take_the_terminal_along(
    here: Place, tmp_path: Path, strangers: Strangers
) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    inner = f"echo $1 $$ > {fifo}; exec sleep 606"  # says so when it carries its environment, and not before
    by_hand = f"sleep 606 & GOLEM_INSTANCE={here.instance} GOLEM_ATTEMPT=A.1 sh -c '{inner}' sh $! & wait; wait"
    terminal = strangers.start(by_hand)
    neighbour, marked = (int(pid) for pid in (await hear(fifo)).split())
    assert await here.runner.sweep(set()) == [marked]
    assert lives(terminal)
    assert lives(neighbour)


async def test_a_deaf_process_is_killed_after_the_grace(here: Place, tmp_path: Path, strangers: Strangers) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    pid = strangers.start(
        f"trap '' TERM; echo > {fifo}; while :; do sleep 0.05; done", GOLEM_INSTANCE=here.instance, GOLEM_ATTEMPT="A.1"
    )
    await hear(fifo)
    with trio.fail_after(PATIENCE_SECONDS):
        assert pid in await here.runner.sweep(set(), grace_seconds=0.1)
    assert not lives(pid)


async def test_what_cannot_be_ended_is_logged_and_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = proctable.look_up(os.getppid())
    assert row is not None
    monkeypatch.setattr(reaper, "KILL_SECONDS", 0.0)
    monkeypatch.setattr(reaper, "send", lambda *_: False)
    assert await reaper.end_all(lambda: [row], 0.0) == []
    assert "cannot be ended" in caplog.text


async def test_a_process_is_known_by_its_attempt_however_deep_and_bare_it_is(here: Place, tmp_path: Path) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    identity = await here.runner.submit(sh(FAMILY.format(fifo=fifo)))
    assert isinstance(identity, Identity)
    bare, escaped = (int(pid) for pid in (await hear(fifo)).split())
    for pid in (identity.pid, identity.shim_pid, bare, escaped):
        assert here.runner.attempt_of(pid) == "A.1"
    here.runner.stop("A.1", grace_now=True)
    await here.runner.wait("A.1")
    for pid in (identity.pid, bare, escaped, 0, -1):
        assert here.runner.attempt_of(pid) == UNKNOWN


async def test_an_agents_own_daemon_does_not_hide_the_attempt_it_runs_in(here: Place, tmp_path: Path) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    script = f"GOLEM_INSTANCE=another GOLEM_ATTEMPT=B.9 sh -c 'echo $$ > {fifo}; exec sleep 607'"
    await here.runner.submit(sh(script))
    assert here.runner.attempt_of(int(await hear(fifo))) == "A.1"
    here.runner.stop("A.1", grace_now=True)
    await here.runner.wait("A.1")


def test_the_daemon_its_helpers_and_a_persons_shell_are_nobodys(here: Place, strangers: Strangers) -> None:
    assert here.runner.attempt_of(os.getpid()) is None
    assert here.runner.attempt_of(1) is None
    assert here.runner.attempt_of(strangers.start("exec sleep 608")) is None
    git = strangers.start("exec sleep 608", GOLEM_INSTANCE=here.instance)
    assert here.runner.attempt_of(git) is None


def test_a_zombie_is_dead(here: Place) -> None:
    one = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", "pass"], {})
    os.waitid(os.P_PID, one, os.WEXITED | os.WNOWAIT)
    row = proctable.look_up(one)
    assert row is not None
    assert not row.alive
    assert here.runner.attempt_of(one) == UNKNOWN
    os.waitpid(one, 0)
    assert proctable.look_up(one) is None
    assert proctable.markers(one) == proctable.NONE
    assert not proctable.owned(one)


async def test_a_name_with_brackets_and_spaces_does_not_confuse_the_table(here: Place, tmp_path: Path) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    rename = "open('/proc/self/comm', 'w').write(') R 1 (x')"
    script = f"{rename}\nopen({str(fifo)!r}, 'w').close()\nimport _signal\n_signal.pause()"
    identity = await here.runner.submit(py(script))
    assert isinstance(identity, Identity)
    await hear(fifo)
    row = proctable.look_up(identity.pid)
    assert row is not None
    assert (row.parent, row.start, row.session) == (identity.shim_pid, identity.start, identity.pid)
    assert here.runner.stop("A.1")
    await here.runner.wait("A.1")
