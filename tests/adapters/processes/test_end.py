"""Stops, limits, and the end of everything that an attempt has started."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import trio

from golemd.adapters.processes import proctable, reaper
from golemd.adapters.processes.records import Exit, Identity
from golemd.adapters.processes.runner import LocalRunner
from tests.adapters.processes.helpers import PATIENCE_SECONDS, ChangedShim, Place, gone, hear, make_fifo, py, run, sh

# Two forks and a session of its own, deaf to SIGTERM: nothing of it can be reached by its parent or its group.
ESCAPEE = (
    "import posix, _signal\n"
    "if posix.fork() == 0:\n"
    " posix.setsid()\n"
    " if posix.fork() == 0:\n"
    "  _signal.signal(15, _signal.SIG_IGN)\n"
    "  with open(%r, 'w') as f: f.write(str(posix.getpid()))\n"
    "  _signal.pause()\n"
    " posix._exit(0)\n"
    "posix.wait()\n"
)
# A shim that, as root, may signal its own user's processes only, as everybody else; and gives up soon.
HUMBLE = """
import ctypes
class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
capabilities, CAP_KILL = (ctypes.c_uint32 * 6)(), 5
header = Header(0x20080522, 0)
assert ctypes.CDLL(None).capget(ctypes.byref(header), capabilities) == 0
capabilities[0] &= ~(1 << CAP_KILL)
assert ctypes.CDLL(None).capset(ctypes.byref(header), capabilities) == 0
shim.KILL_SECONDS = 0.2
"""
# Becomes another user's, as by sudo, says its pid and stays.
STRANGER = (
    "import posix, _signal\n"
    "with open(%r, 'w') as f:\n"
    " posix.setresuid(65534, 65534, 65534)\n"
    " f.write(str(posix.getpid()))\n"
    "_signal.pause()\n"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of another user")


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    return make_fifo(tmp_path / "fifo")


async def ended(here: Place, runner: LocalRunner | None = None) -> Exit:
    with trio.fail_after(PATIENCE_SECONDS):
        end = await (runner or here.runner).wait("A.1")
    assert isinstance(end, Exit)
    return end


async def test_a_stop_lets_the_program_end_in_its_own_way(here: Place, fifo: Path) -> None:
    await here.runner.submit(sh(f"trap 'exit 7' TERM; echo > {fifo}; while :; do sleep 0.01; done"))
    await hear(fifo)
    assert here.runner.stop("A.1")
    end = await ended(here)
    assert (end.status, end.signal, end.reason) == (7, None, "stopped")
    assert not here.runner.stop("A.1")


async def test_a_program_hears_one_sigterm_and_not_two(here: Place, fifo: Path) -> None:
    count = (
        "import _signal, posix\n"
        "_signal.pthread_sigmask(0, {15})\n"
        f"open({str(fifo)!r}, 'w').close()\n"
        "_signal.sigwaitinfo({15})\n"
        "posix._exit(11 if _signal.sigtimedwait({15}, 0.1) is None else 12)\n"
    )
    await here.runner.submit(py(count))
    await hear(fifo)
    here.runner.stop("A.1")
    assert (await ended(here)).status == 11


async def test_a_stop_ends_a_deaf_program_and_its_escaped_descendants_after_the_grace(here: Place, fifo: Path) -> None:
    await here.runner.submit(py(ESCAPEE % str(fifo) + "_signal.signal(15, 1)\n_signal.pause()", grace_seconds=0.2))
    escapee = int(await hear(fifo))
    here.runner.stop("A.1")
    end = await ended(here)
    assert (end.signal, end.reason) == (signal.SIGKILL, "stopped")
    assert end.ended_descendants >= 1
    assert proctable.look_up(escapee) is None


async def test_only_a_stop_without_grace_cuts_the_grace_of_an_earlier_one(
    here: Place, fifo: Path, tmp_path: Path
) -> None:
    heard = make_fifo(tmp_path / "heard")
    deaf = (
        "import _signal\n"
        f"_signal.signal(15, lambda *_: open({str(heard)!r}, 'w').close())\n"
        f"open({str(fifo)!r}, 'w').close()\n"
        "while 1: _signal.pause()\n"
    )
    await here.runner.submit(py(deaf, grace_seconds=600.0))
    await hear(fifo)
    here.runner.stop("A.1")
    await hear(heard)
    here.runner.stop("A.1")  # as the next daemon does that finds it under way
    assert here.runner.result("A.1") is None
    here.runner.stop("A.1", grace_now=True)
    end = await ended(here)
    assert (end.signal, end.reason) == (signal.SIGKILL, "stopped")


async def test_a_stop_without_grace_needs_no_second_one(here: Place, fifo: Path) -> None:
    await here.runner.submit(sh(f"trap '' TERM; echo > {fifo}; while :; do sleep 1; done", grace_seconds=600.0))
    await hear(fifo)
    here.runner.stop("A.1", grace_now=True)
    assert (await ended(here)).signal == signal.SIGKILL


async def test_a_program_that_was_suspended_hears_the_stop(here: Place, fifo: Path) -> None:
    script = f"trap 'exit 7' TERM; (kill -STOP $$; echo > {fifo}) & while :; do wait; done"
    await here.runner.submit(sh(script, grace_seconds=600.0))
    await hear(fifo)
    here.runner.stop("A.1")
    assert (await ended(here)).status == 7


async def test_what_the_program_leaves_behind_is_ended_and_the_status_stays_its_own(here: Place, fifo: Path) -> None:
    end = await run(
        here.runner, py(ESCAPEE % str(fifo) + f"open({str(fifo)!r}).read()\nposix._exit(9)", grace_seconds=0.1)
    )
    assert (end.status, end.signal, end.reason, end.ended_descendants) == (9, None, "", 1)


async def test_a_polite_leftover_is_not_waited_for_longer_than_it_takes(here: Place) -> None:
    began = time.monotonic()
    end = await run(here.runner, sh("sleep 600 & exit 0", grace_seconds=300.0))
    assert (end.status, end.reason, end.ended_descendants) == (0, "", 1)
    assert time.monotonic() - began < PATIENCE_SECONDS


@needs_root
async def test_what_belongs_to_another_user_does_not_keep_an_attempt_running(
    here: Place, fifo: Path, tmp_path: Path
) -> None:
    runner = here.another(launch=ChangedShim(tmp_path, HUMBLE))
    said = make_fifo(tmp_path / "said")
    service = f"import posix\nif posix.fork() == 0:\n exec({STRANGER % str(fifo)!r})\nopen({str(said)!r}).read()\n"
    await runner.submit(py(service, grace_seconds=0.1))
    survivor = int(await hear(fifo))
    said.write_text("")
    end = await ended(here, runner)
    assert (end.status, end.reason, end.survivors, end.ended_descendants) == (0, "", 1, 0)
    os.kill(survivor, signal.SIGKILL)  # it was left alone
    await gone(survivor)


@needs_root
async def test_a_stop_of_a_program_that_belongs_to_another_user_is_an_end_too(
    here: Place, fifo: Path, tmp_path: Path
) -> None:
    runner = here.another(launch=ChangedShim(tmp_path, HUMBLE))
    await runner.submit(py(STRANGER % str(fifo), grace_seconds=0.1))
    survivor = int(await hear(fifo))
    runner.stop("A.1")
    end = await ended(here, runner)
    assert (end.status, end.signal, end.reason, end.survivors) == (None, None, "stopped", 1)
    os.kill(survivor, signal.SIGKILL)
    await gone(survivor)


async def test_the_wall_clock_limit_ends_the_program(here: Place) -> None:
    end = await run(here.runner, sh("sleep 600", wall_seconds=0.2))
    assert (end.signal, end.reason) == (signal.SIGTERM, "timeout")
    assert 0.2 <= end.duration_s < 5


async def test_silence_is_counted_from_the_last_output(here: Place) -> None:
    end = await run(here.runner, sh("for i in 1 2 3 4 5; do echo; sleep 0.1; done; sleep 600", idle_seconds=0.3))
    assert (end.signal, end.reason) == (signal.SIGTERM, "idle")
    assert end.duration_s >= 0.5


async def test_output_on_either_stream_breaks_the_silence_and_no_limit_means_none(here: Place) -> None:
    end = await run(here.runner, sh("for i in 1 2 3 4; do echo >&2; sleep 0.1; done", idle_seconds=0.35))
    assert (end.status, end.reason) == (0, "")


async def test_too_much_output_on_both_streams_together_ends_the_program(here: Place) -> None:
    end = await run(
        here.runner, sh("head -c 6000 /dev/zero; head -c 6000 /dev/zero >&2; sleep 600", output_bytes=10_000)
    )
    assert (end.signal, end.reason) == (signal.SIGTERM, "output")


async def test_a_deaf_program_that_goes_on_printing_has_no_grace_left_at_twice_the_limit(here: Place) -> None:
    flood = "trap '' TERM; while :; do head -c 1000 /dev/zero; sleep 0.005; done"
    end = await run(here.runner, sh(flood, output_bytes=10_000, grace_seconds=600.0))
    assert (end.signal, end.reason) == (signal.SIGKILL, "output")


async def test_a_program_that_ends_with_much_output_but_below_the_limit_is_fine(here: Place) -> None:
    end = await run(here.runner, sh("head -c 10000 /dev/zero", output_bytes=10_000))
    assert (end.status, end.reason) == (0, "")


async def test_a_limit_that_ends_a_polite_program_keeps_its_status(here: Place) -> None:
    end = await run(here.runner, sh("trap 'exit 0' TERM; while :; do sleep 0.01; done", wall_seconds=0.2))
    assert (end.status, end.reason) == (0, "timeout")


async def test_a_stop_that_has_begun_is_finished_without_the_daemon(here: Place, fifo: Path) -> None:
    await here.runner.submit(sh(f"trap '' TERM; echo > {fifo}; while :; do sleep 0.01; done", grace_seconds=0.2))
    await hear(fifo)
    here.runner.stop("A.1")
    end = await here.another().wait("A.1")  # nothing but the folder is shared
    assert isinstance(end, Exit)
    assert end.reason == "stopped"


async def test_sigkill_of_the_shim_takes_the_program_along_and_the_attempt_is_lost(here: Place, fifo: Path) -> None:
    identity = await here.runner.submit(sh(f"trap '' TERM HUP INT; echo > {fifo}; while :; do sleep 0.01; done"))
    assert isinstance(identity, Identity)
    await hear(fifo)
    os.kill(identity.shim_pid, signal.SIGKILL)
    with trio.fail_after(PATIENCE_SECONDS):
        lost = await here.runner.wait("A.1")
        await gone(identity.pid)
        await here.runner.end_leftovers("A.1")
    assert not isinstance(lost, Exit)
    assert lost.identity == identity
    assert here.runner.verdict("A.1") == "lost"
    assert here.runner.result("A.1") is None
    assert await here.runner.submit(sh("true")) == identity, "a lost attempt must not run a second time"


async def test_leftovers_of_a_lost_attempt_are_ended_even_without_environment(here: Place, fifo: Path) -> None:
    script = f"env -i sleep 601 & trap '' TERM; echo $! > {fifo}; while :; do sleep 0.01; done"
    identity = await here.runner.submit(sh(script))
    assert isinstance(identity, Identity)
    bare = int(await hear(fifo))
    row = proctable.look_up(bare)
    assert row is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.runner.wait, "A.1")
        await trio.testing.wait_all_tasks_blocked()
        os.kill(identity.shim_pid, signal.SIGKILL)
    with trio.fail_after(PATIENCE_SECONDS):
        assert bare in await here.runner.end_leftovers("A.1", grace_seconds=0.1)
    assert not proctable.is_running(bare, row.start)


async def test_signals_go_to_exactly_the_process_that_was_meant(here: Place, fifo: Path) -> None:
    identity = await here.runner.submit(sh(f"echo > {fifo}; exec sleep 600"))
    assert isinstance(identity, Identity)
    await hear(fifo)
    assert not reaper.send(identity.pid, identity.start + 1, signal.SIGKILL)
    assert not await reaper.ended(identity.pid, identity.start + 1)
    assert reaper.send(identity.pid, identity.start, signal.SIGINT)
    assert (await ended(here)).signal == signal.SIGINT
    assert not reaper.send(identity.pid, identity.start, signal.SIGKILL)
