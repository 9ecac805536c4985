"""A wall clock on trio's mock clock, which people and time servers may set, and its alarms."""

from __future__ import annotations

from typing import Final

import trio

NOON_US: Final = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z


class SimClock:
    """`adapters.clock.Clock`, of one machine."""

    def __init__(self) -> None:
        self._zero_us = NOON_US
        self._alarms: list[SimAlarm] = []

    def now_us(self) -> int:
        return self._zero_us + int(trio.current_time() * 1e6)

    def alarm(self) -> SimAlarm:
        """A new timer, which is not set."""
        alarm = SimAlarm(self)
        self._alarms.append(alarm)
        return alarm

    def let_go(self, alarm: SimAlarm) -> None:
        """Nobody waits for it any more."""
        self._alarms.remove(alarm)

    def jump(self, us: int) -> None:
        """The clock is set: forward, or back."""
        self._zero_us += us
        for alarm in self._alarms:
            alarm.disturb()


class SimAlarm:
    """`adapters.clock.Alarm` on that clock: it rings when its moment has come, and whenever the clock is set."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._moment_us: int | None = None
        self._disturbed = False
        self._news = trio.Event()

    def set(self, moment_us: int | None) -> None:
        self._moment_us = moment_us
        self._tell()

    def disturb(self) -> None:
        """The clock was set."""
        self._disturbed = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def rings(self) -> None:
        while not self._disturbed and not self._is_due():
            news = self._news
            left = (self._moment_us - self._clock.now_us()) / 1e6 if self._moment_us is not None else float("inf")
            with trio.move_on_after(max(left, 1e-6)):
                await news.wait()
        self._disturbed = False
        self._moment_us = None if self._is_due() else self._moment_us
        await trio.lowlevel.checkpoint()

    def _is_due(self) -> bool:
        return self._moment_us is not None and self._moment_us <= self._clock.now_us()

    def close(self) -> None:
        self._clock.let_go(self)
