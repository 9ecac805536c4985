"""The alarm on the wall clock: it rings when its moment has come, and whenever the clock was set."""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

from golemd.adapters import alarm as alarms
from golemd.adapters.alarm import WallAlarm
from golemd.adapters.clock import SystemClock

GUARD_SECONDS = 20.0
A_DAY_US = 86_400_000_000


@pytest.fixture
def alarm() -> Iterator[WallAlarm]:
    made = SystemClock().alarm()
    yield made
    made.close()


def now_us() -> int:
    return SystemClock().now_us()


async def rings(alarm: WallAlarm) -> None:
    with trio.fail_after(GUARD_SECONDS):
        await alarm.rings()


async def is_silent(alarm: WallAlarm) -> bool:
    """Whether it does not ring within a moment."""
    with trio.move_on_after(0.05):
        await alarm.rings()
        return False
    return True


async def test_it_rings_when_the_moment_has_come_and_not_before(alarm: WallAlarm) -> None:
    moment = now_us() + 30_000
    alarm.set(moment)
    await rings(alarm)
    assert now_us() >= moment


async def test_a_moment_that_has_passed_rings_at_once_and_once(alarm: WallAlarm) -> None:
    for moment in (now_us() - 1, 0, -5):
        alarm.set(moment)
        await rings(alarm)
        assert await is_silent(alarm)


async def test_it_is_silent_when_it_is_not_set_and_when_its_moment_was_taken_back(alarm: WallAlarm) -> None:
    assert await is_silent(alarm)
    alarm.set(now_us() - 1)
    alarm.set(None)
    assert await is_silent(alarm)
    alarm.set(now_us() + A_DAY_US)
    assert await is_silent(alarm)


async def test_it_can_be_set_anew_while_somebody_waits(alarm: WallAlarm) -> None:
    alarm.set(now_us() + A_DAY_US)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rings, alarm)
        await trio.testing.wait_all_tasks_blocked()
        alarm.set(now_us() + 1000)


async def test_one_that_was_set_anew_between_ringing_and_reading_does_not_ring(
    alarm: WallAlarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.read

    def late(fd: int, count: int) -> bytes:
        monkeypatch.setattr(os, "read", real)
        alarm.set(now_us() + A_DAY_US)
        return real(fd, count)

    monkeypatch.setattr(os, "read", late)
    alarm.set(0)
    assert await is_silent(alarm)


async def test_it_rings_when_the_clock_was_set(alarm: WallAlarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel then makes the timer readable, and the reading fails with ECANCELED."""

    def cancelled(fd: int, count: int) -> bytes:
        raise OSError(errno.ECANCELED, "Operation canceled")

    monkeypatch.setattr(os, "read", cancelled)
    alarm.set(0)
    await rings(alarm)


async def test_it_rings_when_the_clock_was_set_before_it_was_set_anew(
    alarm: WallAlarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel arms the timer, and says ECANCELED to whoever does."""
    real = alarm._arm
    armed: list[int] = []

    def cancelled(moment_ns: int) -> int:
        armed.append(moment_ns)
        done = real(moment_ns)
        if len(armed) > 1:
            return done
        ctypes.set_errno(errno.ECANCELED)
        return -1

    monkeypatch.setattr(alarm, "_arm", cancelled)
    alarm.set(now_us() + A_DAY_US)
    await rings(alarm)


async def test_what_the_kernel_refuses_is_an_error(alarm: WallAlarm, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int, count: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    alarm.set(0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "read", broken)
        with pytest.raises(OSError, match="Input/output"):
            await rings(alarm)

    class NoTimers:
        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: ctypes.set_errno(errno.EMFILE) * 0 - 1

    monkeypatch.setattr(alarms, "_libc", NoTimers())
    with pytest.raises(OSError, match="Too many open files"):
        WallAlarm()
    with pytest.raises(OSError, match="Too many open files"):
        alarm.set(1)


def test_the_clock_tells_the_time() -> None:
    assert abs(now_us() - time.time() * 1e6) < 60e6
