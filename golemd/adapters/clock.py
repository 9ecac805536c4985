"""The clock and the dice of the machine: the only place that asks them. Both are given to the engine."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Protocol

from golemd.adapters.alarm import WallAlarm


class Alarm(Protocol):
    """One timer on a clock."""

    def set(self, moment_us: int | None) -> None:
        """Ring at this moment, at once when it has passed; None: not at all. Replaces what was set before."""

    async def rings(self) -> None:
        """Until the moment has come, or the clock was set or the machine woke up, so that moments must be looked at."""

    def close(self) -> None:
        """Let go of it."""


class Clock(Protocol):
    """What tells time. Microseconds since the epoch; it may jump."""

    def now_us(self) -> int: ...

    def alarm(self) -> Alarm:
        """A new timer on this clock, which is not set."""


class SystemClock:
    """The machine's own."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def alarm(self) -> WallAlarm:
        """A timer that suspends and changes of the clock do not make late. Raises OSError."""
        return WallAlarm()


def boot_id() -> str:
    """Identifies this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def fresh_instance() -> str:
    """A random name for a new state folder: 128 bits in hex."""
    return secrets.token_hex(16)
