"""What the next daemon finds: verdicts, adoption, fences, damaged records, and shims killed at every point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import trio

from golemd.adapters.processes import files, proctable, runner, task
from golemd.adapters.processes.launch import launch_plain, shim_argv, shim_file
from golemd.adapters.processes.records import AttemptSpec, Exit, Identity, Lost, Verdict, verdict
from golemd.api.faults import Conflict, Invalid, Unavailable
from tests.adapters.processes.helpers import (
    PATIENCE_SECONDS,
    PAUSE_AFTER_STARTED,
    PAUSE_BEFORE_STARTED,
    ChangedShim,
    Place,
    an_exit,
    an_identity,
    gone,
    hear,
    make_fifo,
    run,
    sh,
    write,
)

A_DAEMON = """
import sys, trio
from functools import partial
from pathlib import Path
from golemd.adapters.processes.runner import LocalRunner
from tests.adapters.processes.helpers import launch_file, sh
from golemd.adapters.processes.launch import launch_plain
state, instance, script, file = sys.argv[1:]
launch = partial(launch_file, file) if file else launch_plain
async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(LocalRunner(Path(state), instance, launch).submit, sh(script))
        await trio.to_thread.run_sync(sys.stdin.read)
trio.run(main)
"""


class Daemon:
    """Another process that submits A.1, and is killed when it is told so."""

    def __init__(self, here: Place, script: str, file: str | Path = "") -> None:
        argv = [sys.executable, "-c", A_DAEMON, str(here.state), here.instance, script, str(file)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=Path(__file__).parents[3])

    async def kill(self) -> None:
        with self.process:
            self.process.kill()
            await trio.to_thread.run_sync(self.process.wait)


TABLE: dict[tuple[bool, bool], Callable[[bool], Verdict]] = {
    (True, True): lambda same_boot: Verdict.ADOPT if same_boot else Verdict.LOST,
    (True, False): lambda _: Verdict.STARTING,
    (False, True): lambda _: Verdict.LOST,
    (False, False): lambda _: Verdict.NEVER_STARTED,
}


@pytest.mark.parametrize(("held", "started", "exited", "same_boot"), list(product([False, True], repeat=4)))
def test_every_cell_of_the_verdict_table(held: bool, started: bool, exited: bool, same_boot: bool) -> None:
    expected = Verdict.FINISHED if exited else TABLE[held, started](same_boot)
    assert verdict(held, started, exited, same_boot) is expected


def test_unknown_attempts_are_observed_and_never_raise(here: Place) -> None:
    assert here.runner.observe_all() == {}
    for attempt in ("A.1", "../../etc", "", "a/b"):
        seen = here.runner.observe(attempt)
        assert (seen.held, seen.started, seen.identity, seen.exit) == (False, False, None, None)
    assert here.runner.verdict("A.1") is Verdict.NEVER_STARTED
    assert not here.runner.stop("A.1")


async def test_waiting_for_an_attempt_that_nobody_started_finds_it_lost(here: Place) -> None:
    assert await here.runner.wait("A.1") == Lost(attempt="A.1", identity=None)


async def test_an_attempt_outlives_its_daemon_and_the_next_one_learns_its_end(here: Place, tmp_path: Path) -> None:
    fifo, ready = make_fifo(tmp_path / "fifo"), make_fifo(tmp_path / "ready")
    daemon = Daemon(here, f"echo > {ready}; cat {fifo}; exit 17")
    await hear(ready)
    await daemon.kill()
    seen = here.runner.observe_all()["A.1"]
    assert seen.held
    assert seen.identity is not None
    assert here.runner.verdict("A.1") is Verdict.ADOPT
    assert await here.runner.submit(sh("true")) == seen.identity
    ends: list[Exit | Lost] = []

    async def wait() -> None:
        ends.append(await here.runner.wait("A.1"))

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            await trio.to_thread.run_sync(fifo.write_text, "said after the daemon's death")
    assert isinstance(ends[0], Exit)
    assert ends[0] == ends[1]
    assert ends[0].status == 17
    assert here.runner.verdict("A.1") is Verdict.FINISHED
    assert here.runner.tail("A.1") == ["said after the daemon's death"]


async def test_an_adopted_attempt_can_be_stopped(here: Place, tmp_path: Path) -> None:
    ready = make_fifo(tmp_path / "ready")
    daemon = Daemon(here, f"echo > {ready}; exec sleep 600")
    await hear(ready)
    await daemon.kill()
    assert here.runner.stop("A.1")
    end = await here.runner.wait("A.1")
    assert isinstance(end, Exit)
    assert (end.signal, end.reason) == (signal.SIGTERM, "stopped")


async def test_a_daemon_that_dies_before_the_shim_could_tell_it_changes_nothing(here: Place, tmp_path: Path) -> None:
    slow = ChangedShim(tmp_path, PAUSE_AFTER_STARTED)
    daemon = Daemon(here, "exit 6", slow.file)
    await hear(slow.fifo)
    await daemon.kill()
    await trio.to_thread.run_sync(slow.go_on)
    end = await here.runner.wait("A.1")
    assert isinstance(end, Exit)
    assert end.status == 6


async def test_a_held_attempt_without_identity_is_given_time_and_then_adopted(here: Place, tmp_path: Path) -> None:
    slow = ChangedShim(tmp_path, PAUSE_BEFORE_STARTED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.another(launch=slow).submit, sh("exit 8"))
        await hear(slow.fifo)
        assert here.runner.verdict("A.1") is Verdict.STARTING
        ends: list[Exit | Lost | Identity] = []

        async def wait() -> None:
            ends.append(await here.runner.wait("A.1"))

        async def submit() -> None:
            ends.append(await here.runner.submit(sh("true")))

        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as waiting:
                waiting.start_soon(wait)
                waiting.start_soon(submit)
                await trio.testing.wait_all_tasks_blocked(0.05)
                await trio.to_thread.run_sync(slow.go_on)
    assert {type(end) for end in ends} <= {Exit, Identity}
    end = here.runner.result("A.1")
    assert end is not None
    assert end.status == 8


@pytest.mark.parametrize("watched", [True, False])
async def test_a_held_attempt_that_never_says_who_it_is_is_ended_and_has_not_run(
    here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    def no_inotify(_: Path) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(runner, "ADOPT_SECONDS", 0.1)
    monkeypatch.setattr(runner, "SWEEP_GRACE_SECONDS", 0.1)
    if not watched:
        monkeypatch.setattr(runner, "renames_into", no_inotify)
    slow = ChangedShim(tmp_path, PAUSE_BEFORE_STARTED)
    daemon = Daemon(here, f"touch {tmp_path}/ran", slow.file)
    await hear(slow.fifo)
    await daemon.kill()
    with trio.fail_after(PATIENCE_SECONDS):
        assert await here.runner.wait("A.1") == Lost(attempt="A.1", identity=None)
    assert here.runner.verdict("A.1") is Verdict.NEVER_STARTED
    assert (await here.runner.fence("A.1")).reason == "never_started"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "found"), [(PAUSE_BEFORE_STARTED, Verdict.NEVER_STARTED), (PAUSE_AFTER_STARTED, Verdict.LOST)]
)
async def test_a_shim_killed_before_the_gate_opens_has_run_nothing(
    here: Place, tmp_path: Path, change: str, found: Verdict
) -> None:
    slow = ChangedShim(tmp_path, change)
    outcome: list[object] = []

    async def submit() -> None:
        try:
            outcome.append(await here.another(launch=slow).submit(sh(f"touch {tmp_path}/ran")))
        except Unavailable as fault:
            outcome.append(fault.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(submit)
        shim = int(await hear(slow.fifo))
        children = [row for row in proctable.snapshot().values() if row.parent == shim]
        assert len(children) == 1, "the program waits at the gate"
        os.kill(shim, signal.SIGKILL)
    await gone(children[0].pid)
    assert not (tmp_path / "ran").exists()
    assert here.runner.verdict("A.1") is found
    assert outcome == ["could_not_spawn"] or isinstance(outcome[0], Identity)


def launch_shim(folder: Path, spec: AttemptSpec) -> tuple[int, int]:
    """A shim without a runner: its status fd and its pid."""
    status, writer = os.pipe2(os.O_CLOEXEC)
    given = os.memfd_create("task", os.MFD_CLOEXEC)
    os.pwrite(given, task.marshalled(spec, spec.env, proctable.boot_id()), 0)
    pid = launch_plain(shim_argv(shim_file(folder.parents[1]), folder), {}, given, writer)
    os.close(writer)
    os.close(given)
    return status, pid


def last_words(status: int, pid: int) -> tuple[str, int]:
    with os.fdopen(status) as file:
        said = file.read()
    return said.strip(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def test_of_shims_that_race_for_a_folder_one_runs_the_program(here: Place, tmp_path: Path) -> None:
    for number in range(5):
        here.folder(f"A.{number}").mkdir(parents=True)
        shims = [
            launch_shim(here.folder(f"A.{number}"), sh(f"echo >> {tmp_path}/ran", f"A.{number}")) for _ in range(4)
        ]
        words = sorted(last_words(*shim) for shim in shims)
        assert words == [("over", 0), ("over", 0), ("over", 0), ("started", 0)]
        assert (tmp_path / "ran").read_text() == "\n" * (number + 1)
        assert isinstance(await here.runner.wait(f"A.{number}"), Exit)


async def test_a_shim_that_finds_another_at_work_leaves_the_attempt_to_it(here: Place, tmp_path: Path) -> None:
    spec = sh(f"echo >> {tmp_path}/ran")
    slow = ChangedShim(tmp_path, PAUSE_BEFORE_STARTED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.another(launch=slow).submit, spec)
        await hear(slow.fifo)
        assert last_words(*launch_shim(here.folder(), spec)) == ("over", 0)
        await trio.to_thread.run_sync(slow.go_on)
    assert isinstance(await here.runner.wait("A.1"), Exit)
    assert (tmp_path / "ran").read_text() == "\n"


def test_a_shim_that_finds_a_started_or_ended_attempt_touches_nothing(here: Place) -> None:
    for name, data in (("started.json", an_identity()), ("exit.json", an_exit())):
        write(here, name, data)
        before = {file.name: file.stat().st_mtime_ns for file in here.folder().iterdir()}
        assert last_words(*launch_shim(here.folder(), sh("true"))) == ("over", 0)
        assert {file.name: file.stat().st_mtime_ns for file in here.folder().iterdir()} == before
        (here.folder() / name).unlink()


def test_a_shim_whose_listener_is_gone_runs_the_program_all_the_same(here: Place) -> None:
    here.folder().mkdir(parents=True)
    status, pid = launch_shim(here.folder(), sh("exit 12"))
    os.close(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    end = here.runner.result("A.1")
    assert end is not None
    assert end.status == 12


async def test_after_a_fence_no_late_start_lands(here: Place, tmp_path: Path) -> None:
    end = await here.runner.fence("A.1")
    assert (end.reason, end.status, end.signal) == ("never_started", None, None)
    assert await here.runner.submit(sh(f"touch {tmp_path}/ran")) == end == await here.runner.fence("A.1")
    assert here.runner.result("A.1") == end
    assert not (tmp_path / "ran").exists()


async def test_a_fence_does_not_close_what_runs_has_ended_or_was_lost(here: Place, tmp_path: Path) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    await here.runner.submit(sh(f"cat {fifo}; exit 3"))
    with pytest.raises(Conflict) as caught:
        await here.another().fence("A.1")
    assert caught.value.code == "attempt_held"
    await trio.to_thread.run_sync(fifo.write_text, "")
    assert await here.runner.wait("A.1") == await here.runner.fence("A.1")
    (here.folder() / "exit.json").unlink()
    with pytest.raises(Conflict) as caught:
        await here.runner.fence("A.1")
    assert caught.value.code == "attempt_started"


async def test_a_fence_during_a_launch_is_refused_and_an_observer_does_not_disturb_it(
    here: Place, tmp_path: Path
) -> None:
    slow = ChangedShim(tmp_path, PAUSE_BEFORE_STARTED)
    starting = here.another(launch=slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(starting.submit, sh("exit 4"))
        await trio.testing.wait_all_tasks_blocked()
        assert starting.observe("A.1").held
        with pytest.raises(Conflict):
            await starting.fence("A.1")
        await hear(slow.fifo)
        await trio.to_thread.run_sync(slow.go_on)
        end = await starting.wait("A.1")
    assert isinstance(end, Exit)
    assert end.status == 4


async def test_a_fence_that_cannot_be_written_says_so(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(Unavailable) as caught:
        await here.runner.fence("A.1")
    assert (caught.value.code, caught.value.data["errno"]) == ("could_not_fence", 28)
    assert here.runner.result("A.1") is None


def test_an_attempt_of_another_boot_is_lost_even_if_somebody_holds_its_lock(here: Place) -> None:
    write(here, "started.json", an_identity(boot_id="another"))
    assert here.runner.verdict("A.1") is Verdict.LOST
    with files._locked(here.folder(), "A.1"):
        assert here.runner.verdict("A.1") is Verdict.LOST
        assert not here.runner.stop("A.1")


async def test_a_pid_that_now_belongs_to_another_process_is_left_alone(here: Place) -> None:
    write(here, "started.json", an_identity(shim_pid=os.getpid()))
    assert not here.runner.stop("A.1")
    assert isinstance(await here.runner.wait("A.1"), Lost)
    assert await here.runner.end_leftovers("A.1") == []


async def test_a_name_that_cannot_be_a_folder_is_refused(here: Place) -> None:
    with pytest.raises(Invalid):
        await here.runner.fence("../x")
    with pytest.raises(Invalid):
        here.runner.logs("a/b", "stdout", 0, 1)


async def test_observe_all_knows_every_attempt(here: Place) -> None:
    await run(here.runner, sh("exit 1", "A.1"))
    await here.runner.fence("A.2")
    write(here, "../not an attempt", b"")
    seen = here.runner.observe_all()
    assert {attempt: one.exit and one.exit.reason for attempt, one in seen.items()} == {
        "A.1": "",
        "A.2": "never_started",
    }
